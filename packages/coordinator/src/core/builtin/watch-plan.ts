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
