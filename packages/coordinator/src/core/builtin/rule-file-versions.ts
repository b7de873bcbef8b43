import {
  type AttributesOf,
  type ClusterSpec,
  type ConfiguredRules,
  canonicalJson,
  events,
  type RuleOptions,
} from "@halon/protocol";
import { versionOf } from "../rule-files.ts";
import { alertKeys, clearAlertsOf, clearAlertsOfGone } from "./alert-rules.ts";
import type { Context } from "./context.ts";
import { checkInvariantsSoon, forgetInvariants } from "./invariant-rules.ts";

type RuleFile = AttributesOf<"RuleFile">;

/** In the memory of the built-in rules: how many editions of rule files there have been. */
const editionsKey = "rules/editions";

/** Puts a rule file into the graph. Versions of it that have jobs stay loaded until these have ended. */
export function putRuleFile(context: Context, file: ClusterSpec["rules"][number]): void {
  const { name, blob, rules, events: declared, patterns, invariants, optionsSchema } = file;
  const edition = editionFor(context, name, file.options);
  putVersion(context, name, {
    blob,
    rules: [...rules],
    events: [...declared],
    ...(patterns === undefined ? {} : { patterns }),
    ...(invariants === undefined ? {} : { invariants }),
    ...(file.options === undefined ? {} : { options: file.options }),
    ...(optionsSchema === undefined ? {} : { optionsSchema }),
    ...(edition === undefined ? {} : { edition }),
    ...onNodes(context, file),
    ...outOfForce(context, name, blob),
  });
}

/** Gives the rule file other options: a new version of it, of the same code. */
export function configureRuleFile(
  context: Context,
  name: string,
  { options, rules, patterns, invariants }: ConfiguredRules,
): void {
  const known = context.graph.get("RuleFile", name);
  if (known === undefined) return;
  const { kept: _, keptOptions: __, ...attributes } = known.attributes;
  const edition = editionFor(context, name, options);
  putVersion(context, name, {
    ...attributes,
    ...{ options, rules, patterns, invariants },
    ...(edition === undefined ? {} : { edition }),
  });
}

function putVersion(context: Context, name: string, file: RuleFile): void {
  const version = versionOf(file);
  const before = context.graph.get("RuleFile", name)?.attributes;
  const kept = versionsWithJobs(context, name).filter((each) => each !== version);
  const keptOptions = optionsOf(before, kept);
  context.update.put("RuleFile", name, {
    ...file,
    ...(kept.length === 0 ? {} : { kept: [...kept] }),
    ...(Object.keys(keptOptions).length === 0 ? {} : { keptOptions }),
  });
  if (file.quarantined === undefined)
    context.alert.clear(alertKeys.ruleFile(name), "the rule file was put in anew");
  clearAlertsOfGone(context, name, file.rules);
  forgetInvariants(context, name, file.invariants);
  // Both are decided when the new version is loaded: timers wait for the next record.
  if (kept.length > 0)
    context.timer.after(`move/${name}`, 0, events.JobsMoveDue, { file: name, blob: version });
  if ((file.invariants ?? []).length > 0) checkInvariantsSoon(context);
}

/** Takes a rule file out of the graph; one that has jobs stays for them, and no job of it begins. */
export function removeRuleFile(context: Context, name: string): void {
  const { graph, update } = context;
  const known = graph.get("RuleFile", name);
  const kept = versionsWithJobs(context, name);
  if (known === undefined) return;
  clearAlertsOf(context, name);
  forgetInvariants(context, name);
  if (kept.length === 0) {
    update.remove("RuleFile", name);
    return;
  }
  const { blob, events } = known.attributes;
  const keptOptions = optionsOf(known.attributes, kept);
  update.put("RuleFile", name, {
    ...{ blob, rules: [], events, kept: [...kept], retired: true },
    ...(Object.keys(keptOptions).length === 0 ? {} : { keptOptions }),
  });
  context.why(`${name} is removed when its jobs have ended`);
}

/** A number that no other options of a rule file have had; undefined for a file that takes none. */
function editionFor(
  { graph, memory }: Context,
  name: string,
  options: RuleOptions | undefined,
): number | undefined {
  if (options === undefined) return undefined;
  const known = graph.get("RuleFile", name)?.attributes;
  if (known?.options !== undefined && canonicalJson(known.options) === canonicalJson(options))
    return known.edition;
  const edition = Number(memory.get(editionsKey) ?? 0) + 1;
  memory.set(editionsKey, edition);
  return edition;
}

/** The options that these versions were made of. */
function optionsOf(file: RuleFile | undefined, versions: readonly string[]) {
  if (file === undefined) return {};
  const { options, keptOptions = {} } = file;
  const own = options === undefined ? {} : { [versionOf(file)]: options };
  const known = Object.entries({ ...keptOptions, ...own });
  return Object.fromEntries(known.filter(([version]) => versions.includes(version)));
}

/** Of a file that runs on nodes: what it takes there, and how often it was taken back. */
function onNodes({ graph }: Context, { name, runs, hears = [] }: ClusterSpec["rules"][number]) {
  if (runs === undefined) return {};
  const { released } = graph.get("RuleFile", name)?.attributes ?? {};
  return { runs, hears: [...hears], ...(released === undefined ? {} : { released }) };
}

/** What a person disabled stays so; a quarantine is of the code that it is for. */
function outOfForce({ graph }: Context, name: string, blob: string) {
  const known = graph.get("RuleFile", name)?.attributes;
  const { disabled } = known ?? {};
  const quarantined = known?.blob === blob ? known.quarantined : undefined;
  return {
    ...(quarantined === undefined ? {} : { quarantined }),
    ...(disabled === undefined ? {} : { disabled }),
  };
}

function versionsWithJobs({ graph, job }: Context, name: string): readonly string[] {
  const known = graph.get("RuleFile", name);
  if (known === undefined) return [];
  const { kept = [] } = known.attributes;
  const versions = new Set([...kept, versionOf(known.attributes)]);
  return [...versions].filter((version) => job.running(name, version) > 0);
}
