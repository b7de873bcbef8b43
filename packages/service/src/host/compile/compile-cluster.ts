import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import {
  contradictionIn,
  type DeploymentSpec,
  HalonError,
  type JsonObject,
  Name,
  OnNodeLoss,
  Placement,
  ruleContradictionIn,
} from "@halon/protocol";
import { z } from "zod";
import { checkConfig, hashOf } from "../runtime/configuration.ts";
import { bundleFile } from "./bundle.ts";
import { compileRuleFile } from "./compile-rules.ts";
import { compileServiceFile, distinct } from "./compile-service.ts";
import type { CompiledCluster, CompiledRules, CompiledService } from "./compiled.ts";
import { isOfLibrary, libraryPath } from "./library.ts";
import { NodesSection, nodePolicyOf } from "./node-policy.ts";
import { parseAuthored } from "./parse.ts";
import { readModule } from "./read-module.ts";

const Label = /^[^=]{1,63}=[^=]{0,63}$/;
const Options = z.record(z.string(), z.json()).default({});
const Names = z.array(Name).max(100);

const ClusterFile = z.strictObject({
  kind: z.literal("halon.cluster").optional(),
  services: z
    .array(
      z.strictObject({
        type: z.string().min(1),
        name: Name.optional(),
        on: z
          .union(
            Placement.options,
            'expected "every-node", "any-node", { label: "key=value" } or { node: "name" }',
          )
          .optional(),
        replicas: z.number().int().min(1).max(1_000).optional(),
        config: z.record(z.string(), z.json()).default({}),
        onNodeLoss: OnNodeLoss.default("move"),
        exclusive: z.literal("cluster").optional(),
        fence: z.enum(["lease", "command"]).optional(),
        prefer: z
          .array(
            z.string().refine((wish) => Name.safeParse(wish).success || Label.test(wish), {
              message: "expected the name of a node or a label as key=value",
            }),
          )
          .max(100)
          .optional(),
        with: Names.optional(),
        apart: Names.optional(),
        after: Names.optional(),
        spread: z
          .string()
          .regex(/^[^=]{1,63}$/, "expected the key of a label, such as rack")
          .optional(),
      }),
    )
    .default([]),
  rules: z
    .array(
      z.union(
        [z.string().min(1), z.strictObject({ file: z.string().min(1), options: Options })],
        'expected a file such as "./recovery.rules.ts", or { file: "./recovery.rules.ts", options: {…} }',
      ),
    )
    .default([]),
  nodes: NodesSection.optional(),
});
type ServiceEntry = z.infer<typeof ClusterFile>["services"][number];

/** Whether what the file does not name is removed from the cluster. */
export interface CompileClusterOptions {
  readonly prune: boolean;
}

/** Compiles a cluster file of TypeScript, JavaScript or JSON. Throws HAL_COMPILE_FAILED, HAL_CONFIG_INVALID. */
export async function compileClusterFile(
  path: string,
  options: CompileClusterOptions,
): Promise<CompiledCluster> {
  const file = resolve(path);
  const value = extname(file) === ".json" ? await readJson(file) : await readExport(file);
  return await compileCluster(value, dirname(file), { ...options, name: file });
}

/** Compiles a cluster that was parsed already; files are relative to `directory`, `name` is what errors call it. */
export async function compileCluster(
  value: unknown,
  directory: string,
  options: CompileClusterOptions & { readonly name?: string },
): Promise<CompiledCluster> {
  const file = options.name ?? "cluster";
  const { services, rules, nodes } = parseAuthored(ClusterFile, value, file);
  const types = new Map<string, CompiledService>();
  const ruleFiles: CompiledRules[] = [];
  for (const { type } of services) {
    const path = resolve(directory, type);
    if (isPath(type) && !types.has(path)) types.set(path, await compileServiceFile(path));
  }
  for (const [index, rule] of rules.entries()) {
    const entry = typeof rule === "string" ? { file: rule, options: {} } : rule;
    const path = rulePath(entry.file, directory, `${file}: rules[${index}]`);
    ruleFiles.push(await compileRuleFile(path, entry.options as JsonObject));
  }
  const deployments = services.map((entry, index) =>
    deploymentOf(entry, types.get(resolve(directory, entry.type)), `${file}: services[${index}]`),
  );
  refuseDoubles(deployments, file);
  refuseDoubleRules(ruleFiles, file);
  const compiled = [...types.values()];
  const spec = {
    types: compiled.map(({ manifest }) => manifest),
    deployments,
    rules: ruleFiles.map(({ manifest }) => manifest),
    ...(nodes === undefined ? {} : { nodes: nodePolicyOf(nodes) }),
    prune: options.prune,
  };
  const contradiction = contradictionIn(spec, undefined) ?? ruleContradictionIn(spec, []);
  if (contradiction !== undefined) {
    const message = `${file}: ${contradiction}. Correct it and apply again.`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const blobs = [...compiled.flatMap(({ blobs }) => blobs), ...ruleFiles.map(({ blob }) => blob)];
  return { spec, blobs: distinct(blobs) };
}

function rulePath(named: string, directory: string, where: string): string {
  if (isOfLibrary(named)) return libraryPath(named, where);
  if (isPath(named)) return resolve(directory, named);
  const message = `${where}: expected a file such as ./recovery.rules.ts, or one of the library such as halon:rolling-restart, got "${named}".`;
  throw new HalonError("HAL_CONFIG_INVALID", message);
}

function deploymentOf(
  entry: ServiceEntry,
  compiled: CompiledService | undefined,
  where: string,
): DeploymentSpec {
  const type = compiled?.manifest.name ?? entry.type;
  if (!Name.safeParse(type).success) {
    const message = `${where}.type: expected a file or a name of a-z, 0-9 and -, got "${type}".`;
    throw new HalonError("HAL_CONFIG_INVALID", message);
  }
  const config = compiled === undefined ? entry.config : configOf(entry, compiled, where);
  return {
    // What the file does not say, and types that only the cluster knows, leave fields out.
    ...entry,
    name: entry.name ?? type,
    type,
    on: entry.on ?? "any-node",
    config: config as DeploymentSpec["config"],
    configHash: hashOf(config),
  };
}

/** The configuration with its defaults. Of a type that only the cluster knows, the node checks it. */
function configOf(entry: ServiceEntry, compiled: CompiledService, where: string): JsonObject {
  const filled = checkConfig(compiled.manifest, entry.config);
  // A default may contradict the schema that it stands in.
  const outcome = filled.type === "valid" ? checkConfig(compiled.manifest, filled.config) : filled;
  if (outcome.type === "valid") return outcome.config;
  const message = `${where}.${outcome.reason}. Correct it and apply again.`;
  throw new HalonError("HAL_SCHEMA_VIOLATION", message);
}

function refuseDoubleRules(files: readonly CompiledRules[], file: string): void {
  const seen = new Set<string>();
  for (const { manifest } of files) {
    const { name } = manifest;
    if (seen.has(name)) {
      const message = `${file}: two rule files are called "${name}", each by its file name. Give one of them another name.`;
      throw new HalonError("HAL_CONFIG_INVALID", message);
    }
    seen.add(name);
  }
}

function refuseDoubles(deployments: readonly DeploymentSpec[], file: string): void {
  const seen = new Set<string>();
  for (const { name } of deployments) {
    if (seen.has(name)) {
      const message = `${file}: two services are called "${name}". Give one of them another name.`;
      throw new HalonError("HAL_CONFIG_INVALID", message);
    }
    seen.add(name);
  }
}

function isPath(text: string): boolean {
  return /^\.{0,2}\//.test(text) || /\.(ts|mts|js|mjs)$/.test(text);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    const message = `${file} cannot be read as JSON: ${(cause as Error).message}`;
    throw new HalonError("HAL_CONFIG_INVALID", message, { cause });
  }
}

async function readExport(file: string): Promise<unknown> {
  const value = await readModule(await bundleFile(file));
  if ((value as { kind?: unknown } | undefined | null)?.kind === "halon.cluster") return value;
  const message = `${file} does not export a cluster. Write: export default defineCluster({…}).`;
  throw new HalonError("HAL_CONFIG_INVALID", message);
}
