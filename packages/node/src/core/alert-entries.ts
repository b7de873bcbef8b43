import { type AlertEntry, AlertSeverity, compareText, type GraphView } from "@halon/protocol";

/** Alerts that stand: the most severe first, then the oldest. */
export function alertEntries(graph: GraphView): readonly AlertEntry[] {
  return graph
    .list("Alert")
    .toSorted(
      (a, b) =>
        rankOf(b.attributes.severity) - rankOf(a.attributes.severity) ||
        a.attributes.since - b.attributes.since ||
        compareText(a.id, b.id),
    )
    .map(({ id, attributes: { key, rule, severity, text, since, count } }) => ({
      ...{ alert: id, key, rule, severity, text, count },
      since: new Date(since).toISOString(),
    }));
}

function rankOf(severity: AlertSeverity): number {
  return AlertSeverity.options.indexOf(severity);
}
