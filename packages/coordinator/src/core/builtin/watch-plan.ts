import { compareText } from "@halon/protocol";

/** Whose supervisor is watched by which others. */
export type Watch = ReadonlyMap<string, readonly string[]>;

/** As many others watch each supervisor where there are enough nodes. */
const watchersWanted = 2;

/**
 * Who watches whose supervisor, given who does now.
 *
 * With three nodes or more each is watched by exactly two others and watches exactly two; with two they watch each
 * other. Watchers stay as far as that allows, and equal nodes in any order give equal plans.
 */
export function watchPlan(names: readonly string[], current: Watch): Watch {
  const nodes = [...names].sort(compareText);
  const wanted = Math.min(watchersWanted, nodes.length - 1);
  const plan = new Map<string, string[]>();
  for (const node of nodes) plan.set(node, stillThere(node, nodes, current).slice(0, wanted));
  const load = loadsOf(nodes, plan);
  for (const [node, watchers] of plan) {
    while (watchers.length < wanted) {
      const watcher = idlest(nodes, load, (one) => one !== node && !watchers.includes(one));
      if (watcher === undefined) break;
      watchers.push(watcher);
      load.set(watcher, (load.get(watcher) ?? 0) + 1);
    }
  }
  while (evenOut(nodes, plan, load)) {
    // Each round moves one edge from the busiest to the idlest; the difference shrinks until it is gone.
  }
  return new Map([...plan].map(([node, watchers]) => [node, watchers.sort(compareText)]));
}

function stillThere(node: string, nodes: readonly string[], current: Watch): string[] {
  const watchers = (current.get(node) ?? []).filter((one) => one !== node && nodes.includes(one));
  return [...new Set(watchers)].sort(compareText);
}

function loadsOf(nodes: readonly string[], plan: Watch): Map<string, number> {
  const load = new Map(nodes.map((node) => [node, 0]));
  for (const watchers of plan.values()) {
    for (const watcher of watchers) load.set(watcher, (load.get(watcher) ?? 0) + 1);
  }
  return load;
}

function idlest(
  nodes: readonly string[],
  load: ReadonlyMap<string, number>,
  suits: (node: string) => boolean,
): string | undefined {
  let best: string | undefined;
  for (const node of nodes.filter(suits)) {
    if (best === undefined || (load.get(node) ?? 0) < (load.get(best) ?? 0)) best = node;
  }
  return best;
}

/** Moves one edge from a busiest to an idlest node; false when they differ by one at most. */
function evenOut(
  nodes: readonly string[],
  plan: ReadonlyMap<string, string[]>,
  load: Map<string, number>,
): boolean {
  const idle = idlest(nodes, load, () => true);
  const negated = new Map([...load].map(([node, count]) => [node, -count]));
  const busy = idlest(nodes, negated, () => true);
  if (idle === undefined || busy === undefined) return false;
  if ((load.get(busy) ?? 0) - (load.get(idle) ?? 0) < 2) return false;
  // The busiest watches two more than the idlest, so one of those is neither the idlest nor watched by it.
  for (const [node, watchers] of plan) {
    if (node === idle || !watchers.includes(busy) || watchers.includes(idle)) continue;
    watchers.splice(watchers.indexOf(busy), 1, idle);
    load.set(busy, (load.get(busy) ?? 0) - 1);
    load.set(idle, (load.get(idle) ?? 0) + 1);
    return true;
  }
  return false;
}

/** An instance that supervisors of other nodes watch too. */
export interface WatchedInstance {
  readonly id: string;
  /** The node that it runs on, which is none of them. */
  readonly node: string;
  /** As many others watch it where there are enough nodes. */
  readonly wanted: number;
  /** Who does now. */
  readonly watchers: readonly string[];
}

/**
 * Who watches these instances, given who does now and how many instances of other nodes each node watches.
 *
 * Each gets as many as it wants, or all nodes but its own. Watchers that are still there stay, unless an idler node could
 * take over: no single change would even out the load any more.
 */
export function instanceWatchPlan(
  names: readonly string[],
  load: ReadonlyMap<string, number>,
  instances: readonly WatchedInstance[],
): Watch {
  const nodes = [...names].sort(compareText);
  const busy = new Map(nodes.map((node) => [node, load.get(node) ?? 0]));
  const add = (node: string, count: number) => busy.set(node, (busy.get(node) ?? 0) + count);
  const plan = new Map<string, string[]>();
  for (const { id, node, wanted, watchers } of instances) {
    const kept = stillThere(node, nodes, new Map([[node, watchers]])).slice(0, wanted);
    for (const watcher of new Set(watchers)) if (!kept.includes(watcher)) add(watcher, -1);
    plan.set(id, kept);
  }
  for (const { id, node, wanted } of instances) {
    const watchers = plan.get(id) ?? [];
    while (watchers.length < Math.min(wanted, nodes.length - (nodes.includes(node) ? 1 : 0))) {
      const watcher = idlest(nodes, busy, (one) => one !== node && !watchers.includes(one));
      if (watcher === undefined) break;
      watchers.push(watcher);
      add(watcher, 1);
    }
  }
  while (evenOutInstances(nodes, busy, instances, plan)) {
    // Each move brings the loads of two nodes closer together, so this ends.
  }
  return new Map([...plan].map(([id, watchers]) => [id, watchers.sort(compareText)]));
}

/** Moves what a node watches to one that watches two fewer; false when there is no such pair. */
function evenOutInstances(
  nodes: readonly string[],
  load: Map<string, number>,
  instances: readonly WatchedInstance[],
  plan: ReadonlyMap<string, string[]>,
): boolean {
  let hasMoved = false;
  for (const { id, node } of instances) {
    const watchers = plan.get(id) ?? [];
    for (const [at, watcher] of watchers.entries()) {
      const idle = idlest(nodes, load, (one) => one !== node && !watchers.includes(one));
      if (idle === undefined) break;
      const [more, less] = [load.get(watcher) ?? 0, load.get(idle) ?? 0];
      if (more - less < 2) continue;
      watchers[at] = idle;
      load.set(watcher, more - 1);
      load.set(idle, less + 1);
      hasMoved = true;
    }
  }
  return hasMoved;
}
