import { dirname, resolve } from "node:path";
import {
  Duration,
  HalonError,
  JsonSchema,
  Name,
  ResourceKindName,
  RestartPolicy,
  ServiceKind,
  ServiceManifest,
} from "@halon/protocol";
import { z } from "zod";
import { type AgentDescription, describeAgent } from "../ocf/describe.ts";
import { hashOf } from "../runtime/configuration.ts";
import { blobOfFile, bundleFile } from "./bundle.ts";
import type { Blob, CompiledService } from "./compiled.ts";
import { parseAuthored } from "./parse.ts";
import { readModule } from "./read-module.ts";
import { checkTemplates } from "./templates.ts";

const Text = z.union([z.string(), z.strictObject({ file: z.string().min(1) })]);

const MessageName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/, "expected the name of a message");
const ArgumentsSchema = JsonSchema.refine(
  ({ type }) => type === "array",
  "expected the schema of its arguments, z.tuple([…])",
);

/** What a service file exports, after its schemas became JSON Schemas. */
const Described = z.strictObject({
  kind: z.literal("halon.service"),
  serviceKind: ServiceKind,
  name: Name,
  serviceName: Name.optional(),
  version: z.string(),
  config: JsonSchema.refine(
    ({ type, properties }) => type === "object" || properties !== undefined,
    "expected the schema of an object, z.object({…})",
  ),
  resources: z.record(ResourceKindName, JsonSchema),
  restart: z
    .strictObject({
      resetAfter: Duration.optional(),
      backoff: Duration.optional(),
      backoffMax: Duration.optional(),
      maxFailures: z.number().int().optional(),
      window: Duration.optional(),
      configTries: z.number().int().optional(),
    })
    .default({}),
  startTimeout: Duration.optional(),
  stopTimeout: Duration.optional(),
  checkEvery: Duration.optional(),
  checkTimeout: Duration.optional(),
  livenessFailures: z.number().int().default(3),
  requires: z.array(Name).default([]),
  memoryMb: z.number().int().default(128),
  watchers: z.number().int().optional(),
  isolation: z.enum(["worker", "process"]).optional(),
  thread: z.enum(["own", "shared"]).optional(),
  messages: z
    .record(z.string(), ArgumentsSchema)
    .refine(
      (all) => Object.keys(all).every((name) => MessageName.safeParse(name).success),
      "expected names of letters, digits, ., _ and -, beginning with a letter",
    )
    .optional(),
  process: z
    .looseObject({
      command: z.array(Text).min(1),
      env: z.record(z.string(), Text).default({}),
      ready: z.looseObject({ type: z.string() }).default({ type: "spawned" }),
      check: z.looseObject({ type: z.string() }).default({ type: "alive" }),
      liveness: z.looseObject({ type: z.string() }).default({ type: "alive" }),
      stopCommand: z.array(Text).min(1).optional(),
      stopSignal: z.string().default("SIGTERM"),
      outputBytesMax: z.number().default(1_048_576),
    })
    .optional(),
  ocf: z.string().optional(),
  systemd: z.strictObject({ unit: z.string() }).optional(),
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
  if (described.thread === "shared" && described.isolation === "process") {
    const message = `${bundle.path}: thread "shared" is of services in threads, and isolation "process" is not. Remove one.`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const files = await readFiles(described, bundle.path);
  const agent = await agentOf(described, bundle.path);
  const manifest = parseAuthored(
    ServiceManifest,
    manifestFrom({ described, blob: bundle.blob.hash, files, agent }),
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
    ...(described.process?.stopCommand ?? []),
    ...Object.values(described.process?.env ?? {}),
  ];
  const blobs = new Map<string, Blob>();
  for (const text of texts) {
    if (typeof text === "string" || blobs.has(text.file)) continue;
    blobs.set(text.file, await blobOfFile(resolve(dirname(path), text.file)));
  }
  return blobs;
}

/** What an OCF agent says of itself; it has to be on the machine where the file is compiled. */
async function agentOf(described: Described, path: string): Promise<AgentDescription | undefined> {
  if (described.ocf === undefined) return undefined;
  try {
    return await describeAgent(described.ocf);
  } catch (error) {
    if (!(error instanceof HalonError)) throw error;
    throw new HalonError("HAL_CONFIG_INVALID", `${path}: ${error.message}`, { cause: error });
  }
}

function manifestFrom({
  described,
  blob,
  files,
  agent,
}: {
  readonly described: Described;
  readonly blob: string;
  readonly files: ReadonlyMap<string, Blob>;
  readonly agent: AgentDescription | undefined;
}) {
  const { restart } = described;
  // Unknown fields of a configuration are typing errors, unless the author says otherwise with looseObject.
  const authored = { additionalProperties: false, ...described.config };
  const hasFields = Object.keys(described.config["properties"] ?? {}).length > 0;
  const configurationSchema =
    agent === undefined || hasFields ? authored : agent.configurationSchema;
  const { start, stop, monitor } = agent?.actions ?? {};
  const policy = RestartPolicy.parse({});
  return {
    name: described.name,
    serviceName: described.serviceName ?? described.name,
    version: described.version,
    kind: described.serviceKind,
    blob,
    files: [...new Set([...files.values()].map(({ hash }) => hash))],
    ...(described.process === undefined ? {} : { process: processFrom(described.process, files) }),
    ...(agent === undefined ? {} : { ocf: { agent: described.ocf, actions: agent.actions } }),
    ...(described.systemd === undefined ? {} : { systemd: described.systemd }),
    thread: described.thread ?? "own",
    ...(described.messages === undefined ? {} : { messages: described.messages }),
    requires: described.requires,
    configurationSchema,
    schemaHash: hashOf(configurationSchema),
    resources: described.resources,
    restart: {
      ...policy,
      ...defined({
        resetAfterMs: restart.resetAfter,
        backoffMs: restart.backoff,
        backoffMaxMs: restart.backoffMax,
        maxFailures: restart.maxFailures,
        windowMs: restart.window,
        configTries: restart.configTries,
      }),
    },
    startTimeoutMs: described.startTimeout ?? start?.timeoutMs ?? 10_000,
    stopTimeoutMs: described.stopTimeout ?? stop?.timeoutMs ?? 5_000,
    checkEveryMs: described.checkEvery ?? intervalOf(monitor) ?? 2_000,
    checkTimeoutMs: described.checkTimeout ?? monitor?.timeoutMs ?? 1_000,
    livenessFailures: described.livenessFailures,
    memoryMb: described.memoryMb,
    ...defined({ watchers: described.watchers }),
  };
}

/** An interval of 0 is that of an action which is not repeated. */
function intervalOf(monitor: { readonly intervalMs?: number } | undefined): number | undefined {
  const intervalMs = monitor?.intervalMs ?? 0;
  return intervalMs === 0 ? undefined : intervalMs;
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
    ...(process.stopCommand === undefined ? {} : { stopCommand: process.stopCommand.map(text) }),
    env: Object.fromEntries(env),
    ready: { ...ready, ...acquire },
  };
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Partial<T>;
}
