import { type GraphView, instanceId, keyOf, slotId } from "@halon/protocol";
import type { World } from "../world.ts";
import type { SimHalond } from "./halond.ts";
import { supervisorBegan } from "./parts.ts";
import { lookAtSite, runSite } from "./site-driver.ts";
import { arm } from "./threads.ts";
import { machineMs } from "./world.ts";

const part = "halon-supervisor";
/** A supervisor that ended and that nobody watches begins again by itself; ms. */
const restartMs = 5_000;

/** The supervisor begins to watch, for the first time or again; `command` asked for it. */
export function beginSupervisor(world: World, halond: SimHalond, command: string | null): void {
  const { supervisor, site, node, replica } = halond;
  supervisor.isAlive = true;
  supervisor.starts += 1;
  const view: GraphView = replica.graph;
  const own = keyOf("Supervisor", node.name);
  const isMonitored = (instance: string): boolean =>
    // What the replica does not have yet has just been started.
    view.get("ServiceInstance", instance) === undefined ||
    view.related(own, "monitors", keyOf("ServiceInstance", instance));
  runSite(world, halond, site.supervise(isMonitored, machineMs(world, node)));
  const incarnation = halond.incarnation * 1_000 + supervisor.starts;
  halond.emit(world, halond, "SupervisorStarted", {
    node: node.name,
    service: part,
    instance: instanceId(slotId(part, node.name), incarnation),
    ...(command === null ? {} : { command }),
    incarnation,
    monitors: site.watched().length,
  });
  supervisorBegan(world, halond);
}

/** It ends and begins again at once. */
export function restartSupervisor(world: World, halond: SimHalond, command: string): void {
  beginSupervisor(world, halond, command);
}

/** It looks no more: who watches it has to see that. */
export function endSupervisor(world: World, halond: SimHalond): void {
  halond.supervisor.isAlive = false;
  arm(world, halond, "supervisor", restartMs);
}

/** One look at what runs here, and at the supervisors that this one watches. */
export function lookAround(world: World, halond: SimHalond): void {
  const { supervisor } = halond;
  if (supervisor.isAlive) {
    supervisor.looks += 1;
    lookAtSite(world, halond);
  }
}

/** Looks at the beats that came in from nodes whose supervisors are watched here. */
export function watchSupervisors(world: World, halond: SimHalond): void {
  const { supervisor, beats, node } = halond;
  if (supervisor.watched.size === 0) return;
  for (const { node: name, incarnation, at, counters } of beats.fresh) {
    const start = supervisor.watched.get(name);
    if (start === undefined) continue;
    const { main, supervisor: looks } = counters;
    const beat = { incarnation, start, main, supervisor: looks, at };
    const reason = supervisor.watch.heard(name, beat);
    if (reason === null) continue;
    const failed = { node: name, by: node.name, incarnation: start, reason };
    halond.emit(world, halond, "SupervisorFailed", failed);
  }
}

/** Whom the supervisor of this node watches, as the graph has it. */
export function followWatched(halond: SimHalond): void {
  const { supervisor, replica, node } = halond;
  const view: GraphView = replica.graph;
  const watched = view.out(keyOf("Supervisor", node.name), "monitors", "Supervisor");
  supervisor.watched = new Map(
    watched.map(({ id, attributes }) => [id, attributes.incarnation ?? 0]),
  );
  supervisor.watch.keep(new Set(supervisor.watched.keys()));
}
