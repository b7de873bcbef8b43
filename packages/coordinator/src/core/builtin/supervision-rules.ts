import { events, instanceId, keyOf, slotId } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";
import { settleDoubts } from "./doubt-rules.ts";
import { spreadInstanceWatch, watchingNodes } from "./instance-watch.ts";
import { isAsked } from "./slot.ts";
import { watchPlan } from "./watch-plan.ts";

/** A restarted supervisor answers by then, or its watchers report it again. */
const restartDeadlineMs = 10_000;
const supervisorPart = "halon-supervisor";

/** Rules on the supervisors of nodes, and on who watches them. */
export const supervisionRules: Readonly<Record<string, Rule>> = {
  "supervisor-started": on(events.SupervisorStarted).do((context) => {
    const { node, incarnation } = context.event;
    const known = context.graph.get("Supervisor", node)?.attributes;
    if ((known?.incarnation ?? 0) > incarnation) {
      context.why(`ignored: the supervisor of ${node} has started again since`);
      return;
    }
    context.update.put("Supervisor", node, { node, incarnation, state: "running" });
    context.why(`the supervisor of ${node} runs`);
  }),

  "supervisor-failed": on(events.SupervisorFailed).do((context) => {
    const { node, by, incarnation, reason } = context.event;
    const known = context.graph.get("Supervisor", node)?.attributes;
    if (known === undefined || context.graph.get("Node", node)?.attributes.state === "down") {
      context.why(`ignored: ${node} is not up`);
      return;
    }
    if ((known.incarnation ?? 0) > incarnation) {
      context.why(`ignored: the supervisor of ${node} has started again since`);
      return;
    }
    const instance = instanceId(slotId(supervisorPart, node), incarnation);
    context.update.patch("Supervisor", node, { state: "failed", reason: `${by} says: ${reason}` });
    if (isAsked(context, node, instance, "RestartSupervisor")) {
      context.why(`its restart is asked for already`);
      return;
    }
    context.command.send(
      node,
      { type: "RestartSupervisor", service: supervisorPart, instance, reason },
      { deadlineMs: restartDeadlineMs },
    );
    context.why(`restarts the supervisor of ${node}: ${reason}, says ${by}`);
  }),

  "supervisor-restart-expired": on(events.CommandExpired)
    .where(({ event }) => event.action === "RestartSupervisor")
    .do((context) => {
      const { node } = context.event;
      const known = context.graph.get("Supervisor", node)?.attributes;
      if (known?.state !== "failed") return;
      const reason = "it did not start again in time";
      context.update.patch("Supervisor", node, { reason });
      context.why(`the supervisor of ${node}: ${reason}`);
    }),
};

/**
 * Brings the edges from supervisors to others, and to instances of other nodes, up to date with the nodes that are there.
 *
 * `came`: a node has come, and not gone.
 */
export function spreadWatch(context: Context, { came }: { readonly came: boolean }): void {
  spreadSupervisorWatch(context);
  for (const instance of spreadInstanceWatch(context, came)) settleDoubts(context, instance);
}

function spreadSupervisorWatch(context: Context): void {
  const { graph, update } = context;
  const supervisors = graph.list("Supervisor").map(({ id }) => id);
  const there = watchingNodes(context);
  const current = new Map(
    supervisors.map((id) => [
      id,
      graph.in(keyOf("Supervisor", id), "monitors", "Supervisor").map((watcher) => watcher.id),
    ]),
  );
  const plan = watchPlan(there, current);
  for (const [watched, watchers] of current) {
    const key = keyOf("Supervisor", watched);
    const wanted = plan.get(watched) ?? [];
    for (const watcher of watchers.filter((one) => !wanted.includes(one)))
      update.unrelate(keyOf("Supervisor", watcher), "monitors", key);
    for (const watcher of wanted.filter((one) => !watchers.includes(one)))
      update.relate(keyOf("Supervisor", watcher), "monitors", key);
  }
}
