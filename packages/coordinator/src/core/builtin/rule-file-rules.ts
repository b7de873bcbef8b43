import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { alertKeys } from "./alert-rules.ts";
import { bounded, type Context } from "./context.ts";
import { checkInvariantsSoon } from "./invariant-rules.ts";
import { beginOperation, failOperation } from "./operation.ts";
import { configureRuleFile } from "./rule-file-versions.ts";

/** Rules on what people decide about rule files. */
export const ruleFileRules: Readonly<Record<string, Rule>> = {
  "rule-enable-requested": on(events.RuleEnableRequested).do((context) => {
    const { operation, file } = context.event;
    const known = context.graph.get("RuleFile", file);
    if (known === undefined) {
      refuse(context, operation, "enable", file);
      return;
    }
    const { quarantined, disabled, runs, released = 0 } = known.attributes;
    beginOperation(context, operation, "enable", file, []);
    context.update.patch("RuleFile", file, {
      quarantined: undefined,
      disabled: undefined,
      // Nodes that have it in quarantine see that it is another version now.
      ...(runs === "node" ? { released: released + 1 } : {}),
    });
    context.alert.clear(alertKeys.ruleFile(file), "it takes part again");
    if ((known.attributes.invariants ?? []).length > 0) checkInvariantsSoon(context);
    const was = quarantined ?? disabled ?? quarantinedOn(context.graph, file);
    context.why(
      was === undefined
        ? `${file} takes part already`
        : `${file} takes part again; it did not: ${was}`,
    );
  }),

  "rule-disable-requested": on(events.RuleDisableRequested).do((context) => {
    const { operation, file, reason = "a person disabled it" } = context.event;
    if (context.graph.get("RuleFile", file) === undefined) {
      refuse(context, operation, "disable", file);
      return;
    }
    beginOperation(context, operation, "disable", file, []);
    context.update.patch("RuleFile", file, { disabled: bounded(reason) });
    context.why(`${file} takes no part: ${reason}`);
  }),

  "rule-options-requested": on(events.RuleOptionsRequested).do((context) => {
    const { operation, file, configured } = context.event;
    const known = context.graph.get("RuleFile", file);
    if (known === undefined) {
      refuse(context, operation, "options", file);
      return;
    }
    if (configured?.blob !== known.attributes.blob) {
      const reason = `the code of ${file} was changed meanwhile; ask again`;
      failOperation(context, operation, "options", file, reason);
      return;
    }
    beginOperation(context, operation, "options", file, []);
    configureRuleFile(context, file, configured);
    context.why(`${file} has the options ${JSON.stringify(configured.options)}`);
  }),
};

/** Which processors have it in quarantine, and why. */
function quarantinedOn(graph: Context["graph"], file: string): string | undefined {
  const found = graph.list("Processor").flatMap(({ attributes: { node, files } }) => {
    const own = files.find((each) => each.file === file && each.state === "quarantined");
    return own === undefined ? [] : [`${own.reason ?? "in quarantine"} (on ${node})`];
  });
  return found.length === 0 ? undefined : found.join("; ");
}

function refuse(
  context: Context,
  operation: string,
  action: "enable" | "disable" | "options",
  file: string,
): void {
  const known = context.graph.list("RuleFile").map(({ id }) => id);
  const there = known.length === 0 ? "no rule file" : known.join(", ");
  failOperation(
    context,
    operation,
    action,
    file,
    `there is no rule file ${file}; there is ${there}`,
  );
}
