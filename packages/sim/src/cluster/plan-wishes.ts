import { Prng } from "../prng.ts";
import type { ClusterSettings, Fault, Settings, Wish } from "../scenario.ts";

/** Nodes join before, and what they should run is asked for; µs. */
export const bootUs = 4_000_000;
const firstDeployUs = 2_000_000;

/** Those that are drawn with all others; changes of members have a stream of their own. */
type PlainWish = Exclude<Wish["type"], "changeMembers">;

/** How often each wish is drawn while it is on. */
const wishWeights: readonly (readonly [PlainWish, number])[] = [
  ["deploy", 5],
  ["upgrade", 4],
  ["configure", 6],
  ["startService", 3],
  ["stopService", 3],
  ["restartService", 3],
  ["checkService", 2],
  ["statusService", 2],
  ["drain", 3],
  ["resume", 6],
  ["decommission", 2],
  ["maintain", 3],
  ["resetBreaker", 2],
  ["relaunch", 1],
];

/** What operators ask for in a run: all services first, then whatever the seed draws. */
export function wishesOf(
  seed: number,
  { faultsUs, members }: Settings,
  cluster: ClusterSettings,
): readonly Fault[] {
  const prng = new Prng(seed, "wishes");
  const count = cluster.services.length;
  const all = cluster.services.map((_, position) => position);
  const wishes: Fault[] = firstDeploys(prng, all);
  const bag: PlainWish[] = [];
  for (const [type, weight] of wishWeights)
    if (prng.chance(500)) for (let i = 0; i < weight; i++) bag.push(type);
  const [first, ...rest] = bag;
  if (first === undefined) return wishes;
  const gapUs = prng.pick([3_000_000, 8_000_000, 20_000_000]);
  const nodes = members + cluster.satellites;
  for (
    let at = bootUs + prng.below(gapUs);
    at < faultsUs;
    at += prng.between(gapUs >> 3, 2 * gapUs)
  ) {
    const type = prng.pick([first, ...rest]);
    wishes.push(wishOf(prng, type, at, { count, nodes, members }));
  }
  return wishes;
}

/** Of a thousand seeds, in so many operators change the members of the agency. */
const memberShare = 200;

/** Changes of members, from a stream of their own. */
export function memberWishesOf(seed: number, { faultsUs }: Settings): readonly Fault[] {
  const prng = new Prng(seed, "member changes");
  if (!prng.chance(memberShare)) return [];
  const gapUs = prng.pick([4_000_000, 15_000_000]);
  const wishes: Fault[] = [];
  for (
    let at = 2 * bootUs + prng.below(gapUs);
    at < faultsUs && wishes.length < 5;
    at += prng.between(gapUs >> 2, 2 * gapUs)
  ) {
    const change = prng.pick(["add", "add", "replace", "replace", "remove"] as const);
    wishes.push({ at, type: "changeMembers", change, pick: prng.below(16) });
    if (prng.chance(400)) wishes.push(memberCrashOf(prng, at));
  }
  return wishes;
}

/** Somebody dies while members change, tracking node or not. */
function memberCrashOf(prng: Prng, at: number): Fault {
  const forUs = prng.pick([50_000, 1_000_000, 6_000_000]) + prng.below(100_000);
  const tail = prng.pick(["lost", "prefix", "torn"] as const);
  if (prng.chance(600)) return { at, type: "crashWhen", moment: "changing", forUs, tail };
  const target = { role: "any", pick: prng.below(16) } as const;
  return { at: at + prng.below(3_000_000), type: "crash", target, forUs, tail };
}

/** All services are wanted in the end, in one go or in a few; a later one may name those before it. */
function firstDeploys(prng: Prng, all: readonly number[]): Fault[] {
  const parts = prng.pick([1, 1, 2, 3]);
  const size = Math.ceil(all.length / parts);
  const wishes: Fault[] = [];
  for (let part = 0; part < parts; part++) {
    const services = all.slice(part * size, (part + 1) * size);
    if (services.length > 0)
      wishes.push({ at: firstDeployUs + part * 700_000, type: "deploy", services, prune: false });
  }
  return wishes;
}

function wishOf(
  prng: Prng,
  type: PlainWish,
  at: number,
  sizes: { readonly count: number; readonly nodes: number; readonly members: number },
): Fault {
  const service = prng.below(sizes.count);
  const node = prng.below(sizes.nodes);
  switch (type) {
    case "deploy": {
      const services = [...Array(sizes.count).keys()].filter(() => prng.chance(800));
      return { at, type, services, prune: prng.chance(400) };
    }
    case "configure":
      return { at, type, service, bad: prng.chance(350) };
    case "maintain":
      return { at, type, node, on: prng.chance(500) };
    case "decommission":
      return { at, type, node: Math.min(sizes.nodes - 1, sizes.members + prng.below(4)) };
    case "drain":
    case "resume":
      return { at, type, node };
    case "resetBreaker":
      return { at, type };
    case "relaunch":
      return { at, type, forUs: prng.pick([200_000, 2_000_000]) };
    case "upgrade":
    case "startService":
    case "stopService":
    case "restartService":
    case "checkService":
    case "statusService":
      return { at, type, service };
  }
}
