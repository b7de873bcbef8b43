import { pathToFileURL } from "node:url";
import type { GraphView, Resource } from "@halon/protocol";
import { indexRules, type Rules } from "@halon/rules";
import { z } from "zod";
import { builtInRules, type DeclaredEvents, type RuleSet } from "./core/index.ts";

/** A rule file that is in the graph but cannot take part. */
export interface RuleFileFailure {
  readonly file: string;
  readonly blob: string;
  readonly reason: string;
}

/** What decides which rules are in force: a key that changes when they have to be loaded again. */
export function ruleFilesKey(graph: GraphView): string {
  return graph
    .list("RuleFile")
    .map(
      ({ id, attributes }) =>
        `${id}=${attributes.blob}${attributes.quarantined === undefined ? "" : "!"}`,
    )
    .join(",");
}

/** Where rule files come from, and who is told whose code runs. */
export interface RuleFileHost {
  blobPath(hash: string): string;
  /** The files that are about to be loaded, and run from then on. */
  files(files: readonly { readonly name: string; readonly blob: string }[]): void;
  running(file: string | null): void;
  /** Files that made an earlier coordinator hang, with the reason: they are not even loaded. */
  readonly suspects: ReadonlyMap<string, string>;
}

/** Loads the rule files of the graph from their blobs; those that fail are left out and named. */
export async function loadRuleSet(
  graph: GraphView,
  host: RuleFileHost,
): Promise<{ readonly rules: RuleSet; readonly failures: readonly RuleFileFailure[] }> {
  const files: { name: string; rules: Rules }[] = [{ name: "builtin", rules: builtInRules }];
  const declared = new Map<string, { version: number; schema: z.ZodType }>();
  const failures: RuleFileFailure[] = [];
  const active = graph.list("RuleFile").filter((file) => file.attributes.quarantined === undefined);
  host.files(active.map(({ id, attributes: { blob } }) => ({ name: id, blob })));
  for (const file of active) {
    try {
      const suspicion = host.suspects.get(file.attributes.blob);
      if (suspicion !== undefined) throw new Error(suspicion);
      host.running(file.id);
      files.push({ name: file.id, rules: await importRules(host.blobPath(file.attributes.blob)) });
      declare(declared, file);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push({ file: file.id, blob: file.attributes.blob, reason: reason.slice(0, 2_000) });
    } finally {
      host.running(null);
    }
  }
  const rules = {
    index: indexRules(files),
    declared: declared as DeclaredEvents,
    running: (file: string | null) => host.running(file),
  };
  return { rules, failures };
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
