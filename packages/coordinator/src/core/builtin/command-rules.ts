import { type CommandAction, events, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { endEffect } from "./call-rules.ts";
import { type Context, isLive } from "./context.ts";
import { failAnswers } from "./operation.ts";
import { restartKey } from "./restart-policy.ts";
import { reconcileSlot, stopInstance } from "./slot.ts";

/** Before a refused stop is sent again: a node that is stopping itself refuses everything. */
const refusedStopMs = 1_000;

/** Rules on commands that were not carried out, or of which nobody knows. */
export const commandRules: Readonly<Record<string, Rule>> = {
  "command-refused": on(events.CommandRefused).do((context) => {
    const { node, command, code, reason } = context.event;
    const answered = context.command.answered();
    if (answered === undefined) {
      context.why(`ignored: nobody waits for an answer to ${command}`);
      return;
    }
    const { action } = answered;
    context.why(`${node} refused ${action.type} of ${action.instance}: ${reason}`);
    const refused = `${node} refused it: ${reason}`;
    if (!endEffect(context, answered, { outcome: "refused", reason: refused }))
      takeRefusal(context, action, code, refused);
  }),

  "command-expired": on(events.CommandExpired).do((context) => {
    const { action, node, instance: id } = context.event;
    const reason = `${node} did not answer ${action} in time; whether it was carried out is unknown`;
    context.why(reason);
    const answered = context.command.answered();
    if (answered !== undefined && endEffect(context, answered, { outcome: "unknown", reason }))
      return;
    if (action === "CheckService" || action === "ReportStatus") failAnswers(context, id, reason);
    const instance = context.graph.get("ServiceInstance", id);
    if (instance === undefined) return;
    const { state, slot } = instance.attributes;
    if (action === "AnswerTrouble" && isLive(state)) {
      // Whether the service has its answer is unknown, and it would wait for ever.
      stopInstance(context, instance, reason);
    } else if (action === "StartService" && state === "starting") {
      stopInstance(context, instance, reason);
    } else if (action === "StopService" && state === "stopping") {
      context.update.patch("ServiceInstance", id, { reason });
    }
    reconcileSlot(context, slot);
  }),
};

function takeRefusal(context: Context, action: CommandAction, code: string, reason: string): void {
  const instance = context.graph.get("ServiceInstance", action.instance);
  switch (action.type) {
    case "StartService":
      // It may have been begun under an older epoch: only a stop makes sure of what runs.
      if (instance?.attributes.state === "starting") stopInstance(context, instance, reason);
      break;
    case "StopService":
      if (instance?.attributes.state === "stopping") stopLater(context, instance);
      break;
    case "CheckService":
    case "ReportStatus":
      failAnswers(context, action.instance, reason);
      break;
    case "ReconfigureService":
      // It cannot take the configuration while it runs, or does not want it: the next start shows which.
      if (!isStale(code) && instance !== undefined && runs(instance))
        stopInstance(context, instance, "it starts again with its new configuration");
      break;
  }
}

function isStale(code: string): boolean {
  return code === "HAL_SERVICE_NOT_RUNNING" || code === "HAL_COMMAND_STALE";
}

function stopLater(context: Context, instance: Resource<"ServiceInstance">): void {
  const { slot } = instance.attributes;
  context.timer.after(restartKey(slot), refusedStopMs, events.RestartDue, { slot });
}

function runs({ attributes }: Resource<"ServiceInstance">): boolean {
  return attributes.state === "running" || attributes.state === "degraded";
}
