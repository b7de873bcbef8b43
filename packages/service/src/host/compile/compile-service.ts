import { dirname, resolve } from "node:path";
import {
  Duration,
  HalonError,
  JsonSchema,
  Name,
  ResourceKindName,
  RestartPolicy,
  ServiceManifest,
} from "@halon/protocol";
import { z } from "zod";
import { hashOf } from "../runtime/configuration.ts";
import { blobOfFile, bundleFile } from "./bundle.ts";
import type { Blob, CompiledService } from "./compiled.ts";
import { parseAuthored } from "./parse.ts";
import { readModule } from "./read-module.ts";

const Text = z.union([z.string(), z.strictObject({ file: z.string().min(1) })]);

/** What a service file exports, after its schemas became JSON Schemas. */
const Described = z.strictObject({
  kind: z.literal("halon.service"),
  serviceKind: z.enum(["worker", "process"]),
  name: Name,
  serviceName: Name.optional(),
  version: z.string(),
  config: JsonSchema,
  resources: z.record(ResourceKindName, JsonSchema),
  restart: z
    .strictObject({
      resetAfter: Duration.optional(),
      backoff: Duration.optional(),
      backoffMax: Duration.optional(),
      maxFailures: z.number().int().optional(),
      window: Duration.optional(),
    })
    .default({}),
  startTimeout: Duration.default(10_000),
  stopTimeout: Duration.default(5_000),
  checkEvery: Duration.default(2_000),
  checkTimeout: Duration.default(1_000),
  memoryMb: z.number().int().default(128),
  process: z
    .looseObject({
      command: z.array(Text).min(1),
      env: z.record(z.string(), Text).default({}),
      ready: z.looseObject({ type: z.string() }).default({ type: "spawned" }),
      check: z.looseObject({ type: z.string() }).default({ type: "alive" }),
      stopSignal: z.string().default("SIGTERM"),
      outputBytesMax: z.number().default(1_048_576),
    })
    .optional(),
});
type Described = z.infer<typeof Described>;

/** Compiles a service file and the files that it names. Throws HAL_COMPILE_FAILED, HAL_CONFIG_INVALID. */
export async function compileServiceFile(path: string): Promise<CompiledService> {
  const bundle = await bundleFile(path);
  const value = await readModule(bundle);
  if ((value as { kind?: unknown } | undefined | null)?.kind !== "halon.service") {
    const message = `${bundle.path} does not export a service type. Write: export default defineService({…}).`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const described = parseAuthored(Described, value, bundle.path);
  const files = await readFiles(described, bundle.path);
  const manifest = parseAuthored(
    ServiceManifest,
    manifestFrom(described, bundle.blob.hash, files),
    bundle.path,
  );
  checkTemplates(manifest, bundle.path);
  return { manifest, blobs: distinct([bundle.blob, ...files.values()]) };
}

/** Each blob once, by hash. */
export function distinct(blobs: readonly Blob[]): readonly Blob[] {
  return [...new Map(blobs.map((blob) => [blob.hash, blob])).values()];
}

async function readFiles(described: Described, path: string): Promise<ReadonlyMap<string, Blob>> {
  const texts = [
    ...(described.process?.command ?? []),
    ...Object.values(described.process?.env ?? {}),
  ];
  const blobs = new Map<string, Blob>();
  for (const text of texts) {
    if (typeof text === "string" || blobs.has(text.file)) continue;
    blobs.set(text.file, await blobOfFile(resolve(dirname(path), text.file)));
  }
  return blobs;
}

function manifestFrom(described: Described, blob: string, files: ReadonlyMap<string, Blob>) {
  const { restart } = described;
  // Unknown fields of a configuration are typing errors, unless the author says otherwise with looseObject.
  const configurationSchema = { additionalProperties: false, ...described.config };
  const policy = RestartPolicy.parse({});
  return {
    name: described.name,
    serviceName: described.serviceName ?? described.name,
    version: described.version,
    kind: described.serviceKind,
    blob,
    files: [...new Set([...files.values()].map(({ hash }) => hash))],
    ...(described.process === undefined ? {} : { process: processFrom(described.process, files) }),
    configurationSchema,
    schemaHash: hashOf(configurationSchema),
    resources: described.resources,
    // Messages are made by start, so they are not known before the service runs.
    restart: {
      ...policy,
      ...defined({
        resetAfterMs: restart.resetAfter,
        backoffMs: restart.backoff,
        backoffMaxMs: restart.backoffMax,
        maxFailures: restart.maxFailures,
        windowMs: restart.window,
      }),
    },
    startTimeoutMs: described.startTimeout,
    stopTimeoutMs: described.stopTimeout,
    checkEveryMs: described.checkEvery,
    checkTimeoutMs: described.checkTimeout,
    memoryMb: described.memoryMb,
  };
}

function processFrom(
  process: NonNullable<Described["process"]>,
  files: ReadonlyMap<string, Blob>,
): object {
  const text = (part: z.infer<typeof Text>) =>
    typeof part === "string" ? part : `{blob:${files.get(part.file)?.hash}}`;
  const env = Object.entries(process.env).map(([name, part]) => [name, text(part)] as const);
  const ready = process.ready as { type: string; acquire?: { attributes?: object } };
  const acquire =
    ready.acquire === undefined ? {} : { acquire: { attributes: {}, ...ready.acquire } };
  return {
    ...process,
    command: process.command.map(text),
    env: Object.fromEntries(env),
    ready: { ...ready, ...acquire },
  };
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Partial<T>;
}

/** A template that names a field which the configuration does not have would fail at every start. */
function checkTemplates(manifest: ServiceManifest, path: string): void {
  const fields = Object.keys((manifest.configurationSchema["properties"] ?? {}) as object);
  const text = JSON.stringify(manifest.process ?? {});
  for (const [, field = ""] of text.matchAll(/\{config\.([A-Za-z0-9_]+)/g)) {
    if (fields.includes(field)) continue;
    const known = fields.length === 0 ? "no fields" : fields.join(", ");
    const message = `${path}: process names {config.${field}}, and config has ${known}. Add the field or correct the name.`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
}
