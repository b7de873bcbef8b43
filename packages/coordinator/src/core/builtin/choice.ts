import { compareText, type Placement } from "@halon/protocol";
import { hasLabel } from "./conditions.ts";

/** A node as the choice of places for one deployment sees it. */
export interface Candidate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Deployments that have a place there. */
  readonly load: number;
  readonly isDown: boolean;
  /** All conditions for a further place hold. */
  readonly takes: boolean;
  /** Another service has the name there, or would have to leave. */
  readonly disturbs: boolean;
  /**
   * What becomes of a place that the deployment has there; undefined when it has none. `lost`: it is given up when
   * there is another one. `ends`: it is given up.
   */
  readonly held: "stays" | "lost" | "ends" | undefined;
}

/** What of a deployment decides on its places. */
export interface Wanted {
  readonly on: Placement;
  readonly replicas?: number | undefined;
  readonly exclusive?: "cluster" | undefined;
  readonly prefer?: readonly string[] | undefined;
  readonly spread?: string | undefined;
}

/**
 * The nodes on which a deployment is wanted now, sorted.
 *
 * Places that are held stay: nothing moves to make the load even, nor to a node that is preferred. Further places are
 * chosen one after the other: where nobody is disturbed, then by `prefer` in its order, then where the fewest share
 * the value of the label `spread`, then by load, then by name.
 */
export function choose(wanted: Wanted, nodes: readonly Candidate[]): readonly string[] {
  if (wanted.on === "every-node") return namesOf(nodes.filter(isKeptEverywhere));
  const count = wanted.exclusive === undefined ? (wanted.replicas ?? 1) : 1;
  const stays = nodes.filter(({ held }) => held === "stays");
  const kept = pick(wanted, upFirst(stays), [], count);
  const fresh = nodes.filter(({ held, takes }) => held === undefined && takes);
  const further = pick(wanted, fresh, kept, count - kept.length);
  const lost = upFirst(nodes.filter(({ held }) => held === "lost"));
  const missing = count - kept.length - further.length;
  return namesOf([...kept, ...further, ...lost.slice(0, missing)]);
}

function isKeptEverywhere({ held, takes }: Candidate): boolean {
  return held === undefined ? takes : held === "stays" || held === "lost";
}

function upFirst(nodes: readonly Candidate[]): readonly Candidate[] {
  return [...nodes].sort(
    (a, b) => Number(a.isDown) - Number(b.isDown) || compareText(a.name, b.name),
  );
}

/** Up to `count` of the nodes, the best of what is left each time. */
function pick(
  wanted: Wanted,
  nodes: readonly Candidate[],
  beside: readonly Candidate[],
  count: number,
): readonly Candidate[] {
  if (nodes.length <= count) return nodes;
  const left = new Set(nodes);
  const sharing = new Map<string, number>();
  for (const node of beside) share(sharing, node, wanted.spread);
  const picked: Candidate[] = [];
  while (picked.length < count) {
    let best: Candidate | undefined;
    for (const node of left) {
      if (best === undefined || compare(wanted, sharing, node, best) < 0) best = node;
    }
    if (best === undefined) break;
    picked.push(best);
    left.delete(best);
    share(sharing, best, wanted.spread);
  }
  return picked;
}

function share(sharing: Map<string, number>, node: Candidate, spread: string | undefined): void {
  const value = zoneOf(node, spread);
  sharing.set(value, (sharing.get(value) ?? 0) + 1);
}

/** Nodes without the label are alike. */
function zoneOf(node: Candidate, spread: string | undefined): string {
  if (spread === undefined || !Object.hasOwn(node.labels, spread)) return "";
  return `=${node.labels[spread]}`;
}

function compare(
  wanted: Wanted,
  sharing: ReadonlyMap<string, number>,
  a: Candidate,
  b: Candidate,
): number {
  const shared = (node: Candidate) =>
    wanted.spread === undefined ? 0 : (sharing.get(zoneOf(node, wanted.spread)) ?? 0);
  return (
    Number(a.isDown) - Number(b.isDown) ||
    Number(a.disturbs) - Number(b.disturbs) ||
    rank(wanted.prefer, a) - rank(wanted.prefer, b) ||
    shared(a) - shared(b) ||
    a.load - b.load ||
    compareText(a.name, b.name)
  );
}

/** Position of the first wish that the node fulfils. */
function rank(prefer: readonly string[] | undefined, node: Candidate): number {
  if (prefer === undefined) return 0;
  const position = prefer.findIndex((wish) => wish === node.name || hasLabel(node.labels, wish));
  return position === -1 ? prefer.length : position;
}

function namesOf(nodes: readonly Candidate[]): readonly string[] {
  return nodes.map(({ name }) => name).sort(compareText);
}
