import { Prng } from "../prng.ts";
import type { BootstrapSettings, ClusterFault, Fault } from "../scenario.ts";

const second = 1_000_000;
/** Of a thousand seeds, so many begin with nodes that do not know each other. */
const share = 250;

/** How the nodes of a seed's cluster find each other; null: they know each other from the start. */
export function bootstrapOf(
  seed: number,
  members: number,
  satellites: number,
): BootstrapSettings | null {
  const prng = new Prng(seed, "bootstrap");
  // No agency has another number of founders.
  if (!prng.chance(share) || members % 2 === 0) return null;
  const nodes = [...Array(members + satellites).keys()];
  const spreadUs = prng.pick([50_000, 1_000_000, 3_000_000]);
  const late = prng.chance(200) ? prng.below(nodes.length) : -1;
  const startUs = nodes.map((slot) => prng.below(spreadUs) + (slot === late ? 8 * second : 0));
  const byNumber = prng.chance(400);
  const isRough = prng.chance(600);
  return {
    startUs,
    join: joinsOf(prng, nodes, byNumber),
    byNumber,
    saveSlowness: prng.pick([1, 50, 200]),
    loss: isRough ? prng.pick([20, 100, 300]) : 0,
    duplicate: isRough ? prng.pick([0, 50, 200]) : 0,
    straggle: isRough ? prng.pick([0, 50, 200]) : 0,
  };
}

/** One master that the others join, or one list that all are given, or one more who is named by those that follow. */
function joinsOf(
  prng: Prng,
  nodes: readonly number[],
  byNumber: boolean,
): BootstrapSettings["join"] {
  const isListed = nodes.length > 1 && prng.chance(400);
  if (isListed) {
    const listed = nodes.slice(0, Math.max(2, prng.between(2, nodes.length)));
    return nodes.map(() => listed);
  }
  const master = byNumber ? 0 : prng.below(nodes.length);
  const isChained = prng.chance(300);
  return nodes.map((slot) => {
    if (slot === master) return [];
    const before = slot - 1;
    return isChained && before >= 0 && before !== master ? [before] : [master];
  });
}

/** What breaks while the cluster begins. */
export function bootstrapFaultsOf(seed: number, { startUs }: BootstrapSettings): readonly Fault[] {
  const prng = new Prng(seed, "bootstrap faults");
  const faults: Fault[] = [];
  const lastUs = Math.max(...startUs) + 3 * second;
  const gapUs = prng.pick([200_000, 700_000, 2_000_000, 20 * second]);
  for (let at = prng.below(gapUs); at < lastUs; at += prng.between(gapUs >> 2, 2 * gapUs))
    faults.push(faultOf(prng, at));
  return faults;
}

function faultOf(prng: Prng, at: number): ClusterFault {
  const role = prng.pick(["leader", "any", "any"] as const);
  const node = { role, pick: prng.below(16) };
  const forUs = prng.pick([20_000, 300_000, 1_500_000, 5_000_000]) + prng.below(200_000);
  const type = prng.pick([
    "crashNode",
    "crashNode",
    "loseMachine",
    "cutNode",
    "pauseNode",
  ] as const);
  return type === "cutNode"
    ? { at, type, node, shape: prng.pick(["both", "inbound", "outbound"]), forUs }
    : { at, type, node, forUs };
}
