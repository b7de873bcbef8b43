import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  type AttributesOf,
  type ConfiguredRules,
  type GraphView,
  HalonError,
  type JsonObject,
  type Resource,
} from "@halon/protocol";
import { indexRules, keptCode, type LoadedFile } from "@halon/rules";
import { z } from "zod";
import {
  blobOf,
  builtInRules,
  type DeclaredEvent,
  type DeclaredEvents,
  isInForce,
  type RuleFileFailure,
  type RuleSet,
  versionOf,
} from "../core/index.ts";
import { runWithin } from "./deadline.ts";
import { type RuleScript, runRuleScript } from "./rule-script.ts";

/** Where rule files come from, and who is told whose code runs. */
export interface RuleFileHost {
  blobPath(hash: string): string;
  hasBlob(hash: string): Promise<boolean>;
  /** These are not on this node; they are looked for again. */
  missing(blobs: readonly string[]): void;
  /** The files that are about to be loaded, and run from then on. */
  files(files: readonly { readonly name: string; readonly blob: string }[]): void;
  running(file: string | null): void;
  /** Files that made an earlier coordinator hang, with the reason: they are not even loaded. */
  readonly suspects: ReadonlyMap<string, string>;
}

/** Rule files that were loaded together. */
export interface Loaded {
  readonly rules: RuleSet;
  /** By the name of the code and its blob; none when the rules are those of Halon alone. */
  readonly scripts: ReadonlyMap<string, RuleScript>;
  readonly failures: readonly RuleFileFailure[];
  /** Files whose blobs are not on this node. */
  readonly missing: readonly RuleFileFailure[];
}

/** How long a file may take to define its rules. */
const loadDeadlineMs = 800;
/** A thread that had less CPU than this in that time proves nothing about the file. */
const loadCpuMs = 200;
const loadTries = 3;

/** One version of a rule file that is to be loaded. */
interface Version {
  readonly file: string;
  readonly blob: string;
  /** The blob, with options `blob#edition`. */
  readonly version: string;
  readonly options: JsonObject | undefined;
  /** An earlier one, which is there for its jobs alone. */
  readonly isKept: boolean;
  /** It runs on nodes, and is here to be asked what its code makes of other options: the types of event that it takes. */
  readonly hears: readonly string[] | undefined;
  /** What is told to run when its code does. */
  readonly code: string;
}

/**
 * Loads the rule files of the graph from their blobs; those that fail are left out and named.
 *
 * Each has a realm of its own. Those of `before` that are named again stay as they are.
 */
export async function loadRuleSet(
  graph: GraphView,
  host: RuleFileHost,
  before: Pick<Loaded, "scripts">,
): Promise<Loaded> {
  const files: LoadedFile[] = [{ name: "builtin", rules: builtInRules }];
  const scripts = new Map<string, RuleScript>();
  const failures: RuleFileFailure[] = [];
  const missing: RuleFileFailure[] = [];
  const active = graph
    .list("RuleFile")
    .filter(
      ({ attributes: { runs, options, ...rest } }) =>
        isInForce(rest) && (runs !== "node" || options !== undefined),
    );
  const versions = active.flatMap(versionsOf);
  host.files(versions.map(({ code, blob }) => ({ name: code, blob })));
  for (const { file, blob, version, options, isKept, hears, code } of versions) {
    try {
      const suspicion = host.suspects.get(blob);
      if (suspicion !== undefined) throw new Error(suspicion);
      if (!(await host.hasBlob(blob))) {
        missing.push({ file, blob, reason: `its blob ${blob} is not on the node that leads` });
        continue;
      }
      const key = scriptKey(code, version);
      const script = before.scripts.get(key) ?? (await load(host, { code, blob, options }));
      scripts.set(key, script);
      if (hears === undefined) files.push({ name: file, version, isKept, rules: script.rules });
    } catch (error) {
      // Whether a file can run on a node, its processor says.
      if (hears === undefined)
        failures.push({ file, blob, reason: reasonOf(error).slice(0, 2_000) });
    } finally {
      host.running(null);
    }
  }
  const rules: RuleSet = {
    index: indexRules(files),
    declared: declaredBy(graph, new Set(files.map(({ name }) => name))),
    running: (code) => host.running(code),
    locate: (_, error) => locate(scripts, error),
    configure: (file, given) => {
      const newest = versions.find((each) => each.file === file && !each.isKept);
      const script = newest && scripts.get(scriptKey(newest.code, newest.version));
      return newest && script ? configured(newest, script, given) : null;
    },
    versions: new Map(versions.map(({ code, file, blob }) => [code, { file, blob }])),
  };
  return { rules, scripts, failures, missing };
}

function versionsOf({ id, attributes }: Resource<"RuleFile">): readonly Version[] {
  const { blob, runs, options, kept = [], keptOptions = {}, retired } = attributes;
  const hears = runs === "node" ? (attributes.hears ?? []) : undefined;
  const newest = {
    ...{ file: id, blob, isKept: false, hears, code: id },
    ...{ version: versionOf(attributes), options },
  };
  const earlier = kept.map((version) => ({
    ...{ file: id, blob: blobOf(version), isKept: true, hears, code: keptCode(id, version) },
    ...{ version, options: keptOptions[version] },
  }));
  return retired === true ? earlier : [newest, ...earlier];
}

function load(
  host: RuleFileHost,
  { code, blob, options }: Pick<Version, "code" | "blob" | "options">,
): Promise<RuleScript> {
  const running = (file: string | null): void => host.running(file);
  return loadRuleScript(host.blobPath(blob), code, running, options);
}

function scriptKey(code: string, version: string): string {
  return `${code} ${version}`;
}

/** What the code of a file makes of options, as data. */
function configured(
  { blob, hears }: Pick<Version, "blob" | "hears">,
  script: RuleScript,
  given: JsonObject,
): ConfiguredRules {
  const { rules, options = {} } = script.configure(given);
  if (hears !== undefined) checkHeard(hears, rules.hears ?? []);
  const patterns = Object.entries(rules.rules).flatMap(([name, { pattern }]) =>
    pattern === undefined ? [] : [[name, pattern.description] as const],
  );
  return {
    blob,
    options,
    rules: Object.keys(rules.rules),
    patterns: Object.fromEntries(patterns),
    invariants: (rules.invariants ?? []).map(({ name }) => name),
  };
}

/** Nodes check what comes in by the types that the file took when it was applied. */
function checkHeard(before: readonly string[], now: readonly string[]): void {
  const isSame = before.length === now.length && before.every((type) => now.includes(type));
  if (isSame) return;
  throw new HalonError(
    "HAL_CONFIG_INVALID",
    `with these options its rules are on ${now.join(", ") || "no event"}, and on ${before.join(", ") || "no event"} with the present ones; apply the file with them in the cluster file`,
  );
}

/** Runs the script of a compiled rule file, with a deadline. `running` is told whose code runs, `code`. */
export async function loadRuleScript(
  path: string,
  code: string,
  running: RuleFileHost["running"],
  options?: JsonObject,
): Promise<RuleScript> {
  const text = await readFile(path, "utf8");
  for (let tries = 1; ; tries += 1) {
    const before = process.cpuUsage();
    running(code);
    const loaded = runWithin(loadDeadlineMs, () => runRuleScript(text, basename(path), options));
    running(null);
    if (loaded !== null) return loaded.value;
    const { user, system } = process.cpuUsage(before);
    if (tries === loadTries || (user + system) / 1_000 > loadCpuMs)
      throw new Error(`it does not load within ${loadDeadlineMs} ms`);
    // The thread is seen to be alive before the next one.
    await new Promise((resolve) => setTimeout(resolve, loadDeadlineMs / 4));
  }
}

/** Types of event of the files that are loaded, and of those in quarantine: theirs are kept. */
function declaredBy(graph: GraphView, loaded: ReadonlySet<string>): DeclaredEvents {
  const declared = new Map<string, DeclaredEvent>();
  for (const { id, attributes } of graph.list("RuleFile")) {
    const { runs, hears = [], disabled, quarantined } = attributes;
    const isThere = runs === "node" ? disabled === undefined : loaded.has(id);
    if (!isThere && quarantined === undefined) continue;
    for (const event of attributes.events) {
      // What nodes take themselves does not come here.
      if (runs === "node" && hears.includes(event.type)) continue;
      declared.set(event.type, declaredWith(declared.get(event.type), event));
    }
  }
  return declared;
}

/** Files may declare one type in several versions: each reads its own. */
function declaredWith(
  other: DeclaredEvent | undefined,
  { version, schema: json, from = [] }: AttributesOf<"RuleFile">["events"][number],
): DeclaredEvent {
  const schema = z.fromJSONSchema(json as Parameters<typeof z.fromJSONSchema>[0]);
  const schemas = new Map<number, z.ZodType | null>([
    ...from.map((each) => [each, null] as const),
    ...(other?.older ?? []),
    ...(other === undefined ? [] : [[other.version, other.schema] as const]),
    [version, schema],
  ]);
  const newest = Math.max(version, other?.version ?? version);
  const newestSchema = schemas.get(newest) ?? schema;
  schemas.delete(newest);
  return { version: newest, schema: newestSchema, older: schemas };
}

/** The first place in the stack of the error that is in a rule file, in the words of its author. */
function locate(scripts: Loaded["scripts"], error: unknown): string | null {
  const { stack } = (error ?? {}) as { readonly stack?: unknown };
  const frame = typeof stack === "string" ? /([0-9a-f]{64})\.\w+:(\d+):(\d+)/.exec(stack) : null;
  if (frame === null) return null;
  const [, blob = "", line, column] = frame;
  for (const [key, script] of scripts)
    if (blobOf(key).endsWith(` ${blob}`)) return script.whereIs(Number(line), Number(column));
  return null;
}

/** Errors of a realm are of another class Error. */
function reasonOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : String(error);
}
