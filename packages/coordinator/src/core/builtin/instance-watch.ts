import { doubtText, keyOf, type Resource } from "@halon/protocol";
import { bounded, type Context } from "./context.ts";
import { modeOf } from "./node-mode.ts";
import { instanceWatchPlan, type WatchedInstance } from "./watch-plan.ts";

type Instance = Resource<"ServiceInstance">;

/** Nodes whose supervisors can watch others. */
export function watchingNodes({ graph }: Pick<Context, "graph">): readonly string[] {
  return graph
    .list("Supervisor")
    .map(({ id }) => id)
    .filter((id) => isThere(graph.get("Node", id)));
}

/** Who watches the instance besides the supervisor of its own node. */
export function watchersOf({ graph }: Pick<Context, "graph">, instance: Instance): string[] {
  return graph
    .in(keyOf("ServiceInstance", instance.id), "monitors", "Supervisor")
    .map(({ id }) => id)
    .filter((id) => id !== instance.attributes.node);
}

/** Sets supervisors of other nodes over an instance that is started. */
export function watchFromElsewhere(context: Context, id: string, wanted: number): void {
  const instance = context.graph.get("ServiceInstance", id);
  if (wanted > 0 && instance !== undefined)
    follow(context, watchingNodes(context), [watched(context, instance, wanted)]);
}

/** Takes note that the instance is removed, and its edges with it. */
export function forgetWatchers(context: Context, instance: Instance): void {
  for (const watcher of watchersOf(context, instance)) count(context, watcher, -1);
}

/**
 * Brings the edges from supervisors to instances of other nodes up to date with the nodes that are there; gives the
 * instances whose watchers have changed.
 *
 * `came`: a node has come, so that others may have less to do. Else only what nodes watched that are gone is looked at.
 */
export function spreadInstanceWatch(context: Context, came: boolean): readonly string[] {
  const { graph } = context;
  const there = watchingNodes(context);
  const instances = came
    ? graph
        .list("Service")
        .filter(({ attributes }) => (attributes.watchers ?? 0) > 0)
        .flatMap(({ id }) => graph.in(keyOf("Service", id), "instanceOf", "ServiceInstance"))
    : orphansOf(context, new Set(there));
  const wantedOf = (type: string) => graph.get("Service", type)?.attributes.watchers ?? 0;
  const all = instances.map((instance) =>
    watched(context, instance, wantedOf(instance.attributes.type)),
  );
  return follow(context, there, all);
}

/** Whether every watcher on another node that is up doubts the instance, and there is one. */
export function isDoubtedByAll(context: Pick<Context, "graph">, instance: Instance): boolean {
  const doubting = new Set((instance.attributes.doubts ?? []).map(({ by }) => by));
  if (doubting.size === 0) return false;
  const up = watchersOf(context, instance).filter(
    (id) => context.graph.get("Node", id)?.attributes.state === "up",
  );
  return up.length > 0 && up.every((id) => doubting.has(id));
}

/** State and reason of an instance whose own node finds it well. */
export function wellState(
  context: Pick<Context, "graph">,
  instance: Instance,
): { readonly state: "running" | "degraded"; readonly reason: string | undefined } {
  if (!isDoubtedByAll(context, instance)) return { state: "running", reason: undefined };
  const said = doubtText(instance.attributes.doubts ?? []);
  return { state: "degraded", reason: bounded(`${said}; its own node finds it well`) };
}

/** Instances that a node watches which is not there any more. */
function orphansOf(context: Context, there: ReadonlySet<string>): readonly Instance[] {
  const { graph } = context;
  const gone = graph
    .list("Supervisor")
    .filter(({ id }) => !there.has(id) && loadOf(context, id) > 0);
  const instances = gone.flatMap(({ id }) =>
    graph
      .out(keyOf("Supervisor", id), "monitors", "ServiceInstance")
      .filter(({ attributes }) => attributes.node !== id),
  );
  return [...new Map(instances.map((instance) => [instance.id, instance])).values()];
}

/** Plans the watchers of these instances, and keeps the edges, the counts and the doubts accordingly. */
function follow(
  context: Context,
  there: readonly string[],
  instances: readonly WatchedInstance[],
): readonly string[] {
  if (instances.length === 0) return [];
  const load = new Map(there.map((node) => [node, loadOf(context, node)]));
  const plan = instanceWatchPlan(there, load, instances);
  return instances
    .filter(({ id, watchers }) => setWatchers(context, id, watchers, plan.get(id) ?? []))
    .map(({ id }) => id);
}

/** Whether that changed anything. */
function setWatchers(
  context: Context,
  id: string,
  before: readonly string[],
  after: readonly string[],
): boolean {
  const { graph, update } = context;
  const key = keyOf("ServiceInstance", id);
  const gone = before.filter((one) => !after.includes(one));
  const added = after.filter((one) => !before.includes(one));
  for (const watcher of gone) {
    update.unrelate(keyOf("Supervisor", watcher), "monitors", key);
    count(context, watcher, -1);
  }
  for (const watcher of added) {
    update.relate(keyOf("Supervisor", watcher), "monitors", key);
    count(context, watcher, 1);
  }
  const doubts = graph.get("ServiceInstance", id)?.attributes.doubts ?? [];
  const left = doubts.filter(({ by }) => after.includes(by));
  if (left.length < doubts.length)
    update.patch("ServiceInstance", id, { doubts: left.length === 0 ? undefined : left });
  return gone.length > 0 || added.length > 0;
}

function watched(context: Context, instance: Instance, wanted: number): WatchedInstance {
  const { node } = instance.attributes;
  return { id: instance.id, node, wanted, watchers: watchersOf(context, instance) };
}

function isThere(node: Resource<"Node"> | undefined): boolean {
  return (
    node !== undefined && node.attributes.state !== "down" && modeOf(node) !== "decommissioned"
  );
}

/** How many instances of other nodes a node watches: kept beside the edges, so that no start has to count them all. */
function loadKey(node: string): string {
  return `watching/${node}`;
}

function loadOf(context: Context, node: string): number {
  return Number(context.memory.get(loadKey(node)) ?? 0);
}

function count(context: Context, node: string, by: number): void {
  const sum = loadOf(context, node) + by;
  context.memory.set(loadKey(node), sum === 0 ? null : sum);
}
