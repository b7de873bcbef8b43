import { events, type Resource } from "@halon/protocol";
import { alertsOf, forgetAlert } from "@halon/rules";
import type { Context } from "./context.ts";

/** Keys of the alerts that the built-in rules raise. */
export const alertKeys = {
  breaker: "breaker",
  nodeGivenUp: (node: string) => `node-given-up/${node}`,
  serviceBroken: (slot: string) => `service-broken/${slot}`,
  configurationReverted: (slot: string) => `configuration-reverted/${slot}`,
  ruleFile: (file: string) => `rule-file-quarantined/${file}`,
} as const;

/** The slot has new tries, or nothing is wanted there any more: what was said of it is of the past. */
export function clearSlotAlerts({ alert }: Context, slot: string, reason: string): void {
  alert.clear(alertKeys.serviceBroken(slot), reason);
  alert.clear(alertKeys.configurationReverted(slot), reason);
}

/** A rule file was removed: nobody clears its alerts any more. */
export function clearAlertsOf(context: Context, file: string): void {
  context.alert.clear(alertKeys.ruleFile(file), "the rule file was removed");
  clear(context, alertsOf(context.graph, file), `the rule file ${file} was removed`);
}

/** A rule file was put in anew: of rules that it has no more nobody clears the alerts. */
export function clearAlertsOfGone(context: Context, file: string, rules: readonly string[]): void {
  const ids = new Set(rules.map((rule) => `${file}/${rule}`));
  const gone = alertsOf(context.graph, file).filter(({ attributes }) => !ids.has(attributes.rule));
  clear(context, gone, `the rule file ${file} does not have the rule any more`);
}

function clear(context: Context, alerts: readonly Resource<"Alert">[], reason: string): void {
  const { graph: view, update } = context;
  for (const { id, attributes } of alerts) {
    const { rule, key, severity, text } = attributes;
    forgetAlert({ view, update }, id);
    context.publish(events.AlertCleared, { alert: id, rule, key, severity, text, reason });
  }
}
