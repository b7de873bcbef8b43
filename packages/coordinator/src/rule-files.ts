import { pathToFileURL } from "node:url";
import type { GraphView, Resource } from "@halon/protocol";
import { indexRules, keptCode, type LoadedFile, type Rules } from "@halon/rules";
import { z } from "zod";
import {
  builtInRules,
  type DeclaredEvents,
  type RuleFileFailure,
  type RuleSet,
  ruleFilesKey,
} from "./core/index.ts";

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

interface Loaded {
  readonly rules: RuleSet;
  readonly failures: readonly RuleFileFailure[];
  /** Files whose blobs are not on this node. */
  readonly missing: readonly RuleFileFailure[];
}

/** How long a leader waits for the blobs of rule files, which a majority has, before it goes on without them. */
const blobWaitMs = 10_000;
const blobLookMs = 100;

/** The rules of the cluster as this coordinator has loaded them. */
export class RulesInForce {
  readonly #host: RuleFileHost;
  readonly #waitMs: number;
  #key: string | undefined;
  #loaded: Loaded = {
    rules: { index: indexRules([]), declared: new Map() },
    failures: [],
    missing: [],
  };
  #turn: Promise<void> = Promise.resolve();
  #isWaiting = false;
  #isLoading = false;
  /** What was asked for last: the leader looks often, and asks once. */
  #toldMissing = "";

  constructor(host: RuleFileHost, waitMs = blobWaitMs) {
    this.#host = host;
    this.#waitMs = waitMs;
  }

  /** Of the last load. */
  get rules(): RuleSet {
    return this.#loaded.rules;
  }

  /** While code of rule files may run, and would be blamed for whatever holds the thread. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** Resolves when nothing is being loaded. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Whether the graph names other files than were loaded, or some were not there. */
  isBehind(graph: GraphView): boolean {
    return this.#loaded.missing.length > 0 || ruleFilesKey(graph) !== this.#key;
  }

  /** For a standby: begins to load what is new, so that a takeover finds it loaded. */
  prepare(graph: GraphView): void {
    if (this.#isWaiting || ruleFilesKey(graph) === this.#key) return;
    this.#isWaiting = true;
    this.#inTurn(async () => {
      this.#isWaiting = false;
      await this.#load(graph);
    }).catch(() => undefined);
  }

  /**
   * For a leader: loads what is new, and tells what failed. Waits for blobs that are missing here, and counts those that did
   * not come as failures: a file must not be out of force without a word in the log.
   */
  async bring(graph: GraphView): Promise<readonly RuleFileFailure[]> {
    let failures: readonly RuleFileFailure[] = [];
    await this.#inTurn(async () => {
      const until = performance.now() + this.#waitMs;
      while (this.isBehind(graph)) {
        await this.#load(graph);
        if (this.#loaded.missing.length === 0 || performance.now() >= until) break;
        await new Promise((resolve) => setTimeout(resolve, blobLookMs));
      }
      failures = [...this.#loaded.failures, ...this.#loaded.missing];
      this.#loaded = { ...this.#loaded, failures: [], missing: [] };
    });
    return failures;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #load(graph: GraphView): Promise<void> {
    this.#key = ruleFilesKey(graph);
    this.#isLoading = true;
    this.#loaded = await loadRuleSet(graph, this.#host).finally(() => {
      this.#isLoading = false;
    });
    const missing = this.#loaded.missing.map(({ blob }) => blob);
    const told = missing.join(",");
    if (missing.length > 0 && told !== this.#toldMissing) this.#host.missing(missing);
    this.#toldMissing = told;
  }
}

/** One version of a rule file that is to be loaded. */
interface Version {
  readonly file: string;
  readonly blob: string;
  /** An earlier one, which is there for its jobs alone. */
  readonly isKept: boolean;
  /** What is told to run when its code does. */
  readonly code: string;
}

function versionsOf({ id, attributes }: Resource<"RuleFile">): readonly Version[] {
  const { blob, kept = [], retired } = attributes;
  const newest = { file: id, blob, isKept: false, code: id };
  const earlier = kept.map((each) => ({
    file: id,
    blob: each,
    isKept: true,
    code: keptCode(id, each),
  }));
  return retired === true ? earlier : [newest, ...earlier];
}

/** Loads the rule files of the graph from their blobs; those that fail are left out and named. */
async function loadRuleSet(graph: GraphView, host: RuleFileHost): Promise<Loaded> {
  const files: LoadedFile[] = [{ name: "builtin", rules: builtInRules }];
  const declared = new Map<string, { version: number; schema: z.ZodType }>();
  const failures: RuleFileFailure[] = [];
  const missing: RuleFileFailure[] = [];
  const active = graph.list("RuleFile").filter((file) => file.attributes.quarantined === undefined);
  const versions = active.flatMap(versionsOf);
  host.files(versions.map(({ code, blob }) => ({ name: code, blob })));
  for (const { file, blob, isKept, code } of versions) {
    try {
      const suspicion = host.suspects.get(blob);
      if (suspicion !== undefined) throw new Error(suspicion);
      if (!(await host.hasBlob(blob))) {
        missing.push({ file, blob, reason: `its blob ${blob} is not on the node that leads` });
        continue;
      }
      host.running(code);
      const rules = await importRules(host.blobPath(blob));
      files.push({ name: file, version: blob, isKept, rules });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push({ file, blob, reason: reason.slice(0, 2_000) });
    } finally {
      host.running(null);
    }
  }
  const loaded = new Set(files.map(({ name }) => name));
  for (const file of active) if (loaded.has(file.id)) declare(declared, file);
  const rules = {
    index: indexRules(files),
    declared: declared as DeclaredEvents,
    running: (file: string | null) => host.running(file),
  };
  return { rules, failures, missing };
}

async function importRules(path: string): Promise<Rules> {
  const module: unknown = await import(pathToFileURL(path).href);
  const rules = (module as { default?: unknown }).default;
  if (typeof rules !== "object" || rules === null || (rules as Rules).kind !== "rules") {
    throw new TypeError("the file's default export is not the value of defineRules");
  }
  return rules as Rules;
}

function declare(
  declared: Map<string, { version: number; schema: z.ZodType }>,
  file: Resource<"RuleFile">,
): void {
  for (const { type, version, schema } of file.attributes.events) {
    declared.set(type, {
      version,
      schema: z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]),
    });
  }
}
