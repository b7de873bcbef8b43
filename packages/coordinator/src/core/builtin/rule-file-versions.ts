import { type ClusterSpec, events } from "@halon/protocol";
import type { Context } from "./context.ts";

/** Puts a rule file into the graph. Versions of it that have jobs stay loaded until these have ended. */
export function putRuleFile(context: Context, file: ClusterSpec["rules"][number]): void {
  const { name, blob, rules, events: declared, patterns } = file;
  const kept = versionsWithJobs(context, name).filter((each) => each !== blob);
  context.update.put("RuleFile", name, {
    blob,
    rules: [...rules],
    events: [...declared],
    ...(patterns === undefined ? {} : { patterns }),
    ...onNodes(context, file),
    ...(kept.length === 0 ? {} : { kept: [...kept] }),
    ...outOfForce(context, name, blob),
  });
  // Decided when the new version is loaded: timers wait for the next record.
  if (kept.length > 0)
    context.timer.after(`move/${name}`, 0, events.JobsMoveDue, { file: name, blob });
}

/** Takes a rule file out of the graph; one that has jobs stays for them, and no job of it begins. */
export function removeRuleFile(context: Context, name: string): void {
  const { graph, update } = context;
  const known = graph.get("RuleFile", name);
  const kept = versionsWithJobs(context, name);
  if (known === undefined) return;
  if (kept.length === 0) {
    update.remove("RuleFile", name);
    return;
  }
  const { blob, events } = known.attributes;
  update.put("RuleFile", name, { blob, rules: [], events, kept: [...kept], retired: true });
  context.why(`${name} is removed when its jobs have ended`);
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
  const { blob, kept = [] } = known.attributes;
  return [...new Set([...kept, blob])].filter((version) => job.running(name, version) > 0);
}
