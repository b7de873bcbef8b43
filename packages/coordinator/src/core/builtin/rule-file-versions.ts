import type { ClusterSpec } from "@halon/protocol";
import type { Context } from "./context.ts";

/** Puts a rule file into the graph. Versions of it that have jobs stay loaded until these have ended. */
export function putRuleFile(context: Context, file: ClusterSpec["rules"][number]): void {
  const { name, blob, rules, events, patterns } = file;
  const kept = versionsWithJobs(context, name).filter((each) => each !== blob);
  context.update.put("RuleFile", name, {
    blob,
    rules: [...rules],
    events: [...events],
    ...(patterns === undefined ? {} : { patterns }),
    ...(kept.length === 0 ? {} : { kept: [...kept] }),
  });
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

function versionsWithJobs({ graph, job }: Context, name: string): readonly string[] {
  const known = graph.get("RuleFile", name);
  if (known === undefined) return [];
  const { blob, kept = [] } = known.attributes;
  return [...new Set([...kept, blob])].filter((version) => job.running(name, version) > 0);
}
