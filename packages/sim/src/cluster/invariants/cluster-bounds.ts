import { eventsWaitingMax, presenceWaitingMax } from "@halon/node/core";
import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant, Scene } from "./cluster-invariant.ts";

/** What one slot, and one request, may leave waiting at most. */
const each = 8;
const base = 200;
/** Events in the queue of the simulator: what is under way and armed in the whole cluster. */
const queueMax = 200_000;
/** With those by which a node comes and goes. */
const eventsMax = eventsWaitingMax + presenceWaitingMax;

/**
 * C11: queues, outboxes, timers and memories stay below bounds that follow from what the cluster is, and an operation that
 * has ended has no timer.
 */
export function clusterBounds(): ClusterInvariant {
  return {
    id: "C11",
    name: "all is bounded",
    everySecond(scene) {
      const { world, cluster, committed } = scene;
      const room = roomOf(scene);
      for (const node of cluster.nodes) {
        const waiting = node.halond?.agent.waiting ?? 0;
        if (waiting > eventsMax)
          violated("C11", `${waiting} events wait on ${node.name}, at most ${eventsMax} may`);
        const commands = committed.outbox.countOf(node.name);
        if (commands > room)
          violated("C11", `${commands} commands to ${node.name} wait, expected at most ${room}`);
      }
      if (committed.timers.size > room + committed.outbox.size)
        violated("C11", `${committed.timers.size} timers are armed, expected at most ${room}`);
      const late = endedButTimed(scene);
      if (late !== null) violated("C11", `${late} has ended, and a timer for its end is armed`);
      let kept = 0;
      for (const memory of committed.memories.values()) kept += memory.size;
      if (kept > room * 2) violated("C11", `${kept} values are remembered, expected ${room * 2}`);
      if (world.queue.size > queueMax)
        violated("C11", `${world.queue.size} events of the simulator wait`);
    },
  };
}

/** An operation that has ended and whose timer was not taken back. */
function endedButTimed({ committed: { timers, graph } }: Scene): string | null {
  for (const { event } of timers.toJSON()) {
    if (event.type !== "OperationDue") continue;
    const { operation } = event.data as Readonly<Record<string, unknown>>;
    if (graph.get("Operation", String(operation))?.attributes.state !== "running")
      return String(operation);
  }
  return null;
}

function roomOf({ cluster, committed }: Scene): number {
  const operations = committed.graph.list("Operation", { state: "running" }).length;
  // A job has a deadline and a delay, and is remembered with who asked for it.
  const ofJobs = 2 * (cluster.settings.jobs?.count ?? 0);
  return (
    base +
    ofJobs +
    each * (cluster.nodes.length * (cluster.settings.services.length + 4) + operations)
  );
}
