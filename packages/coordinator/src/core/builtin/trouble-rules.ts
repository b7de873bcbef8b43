import { events } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { type Context, isLive } from "./context.ts";

/** How long the rules of a cluster have to answer a trouble. */
const answerWithinMs = 5_000;
/** The way of an answer to the service. */
const answerDeadlineMs = 10_000;

/**
 * Rules on services that wait for what becomes of them.
 *
 * A rule file answers with the command AnswerTrouble; nobody who does within 5 s means a restart.
 */
export const troubleRules: Readonly<Record<string, Rule>> = {
  "service-trouble": on(events.ServiceTrouble).do((context) => {
    const { instance, ref, code, reason } = context.event;
    if (context.graph.get("ServiceInstance", instance) === undefined) {
      context.why(`ignored: ${instance} is not a current instance`);
      return;
    }
    context.timer.after(troubleKey(instance, ref), answerWithinMs, events.TroubleDue, {
      instance,
      ref,
    });
    context.why(`${instance} waits for an answer to its trouble ${code}: ${reason}`);
  }),

  "trouble-answered": on(events.TroubleAnswered).do((context) => {
    const { instance, ref } = context.event;
    context.timer.cancel(troubleKey(instance, ref));
  }),

  "trouble-due": on(events.TroubleDue).do((context) => {
    const { instance: id, ref } = context.event;
    const instance = context.graph.get("ServiceInstance", id);
    if (instance === undefined) {
      context.why(`ignored: ${id} is not a current instance`);
      return;
    }
    const { node, service, state } = instance.attributes;
    if (!isLive(state) && state !== "unknown") {
      context.why(`ignored: ${id} is ${state} already`);
      return;
    }
    if (isAnswered(context, node, id, ref)) {
      context.why("an answer is on its way");
      return;
    }
    context.command.send(
      node,
      { type: "AnswerTrouble", service, instance: id, ref, answer: "restart" },
      { deadlineMs: answerDeadlineMs },
    );
    context.why(`no rule answered within ${answerWithinMs} ms: ${id} starts again`);
  }),
};

function troubleKey(instance: string, ref: string): string {
  return `trouble/${instance}/${ref}`;
}

function isAnswered(context: Context, node: string, instance: string, ref: string): boolean {
  return context.command
    .outstanding(node)
    .some(
      ({ action }) =>
        action.type === "AnswerTrouble" && action.instance === instance && action.ref === ref,
    );
}
