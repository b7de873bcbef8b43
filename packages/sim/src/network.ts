import { hashBytes, Prng } from "./prng.ts";
import type { CutShape, Settings } from "./scenario.ts";

/** Most members that a run can ever have: those of the start, and those added later. */
export const slotsMax = 16;

/** The directed links between members. A link with cuts on it carries nothing. */
export interface Network {
  readonly settings: Settings;
  readonly prngs: readonly Prng[];
  readonly cuts: Int32Array;
  readonly slowness: Float64Array;
  /** Until when what is sent is held back; µs. */
  readonly cloggedUntil: Float64Array;
  /** A reset connection loses what is on its way: its number no longer fits. */
  readonly connections: Int32Array;
  readonly lastArrival: Float64Array;
  isCalm: boolean;
}

/** What becomes of one message: when its copies arrive. */
export interface Flight {
  /** µs; -1 when it is lost. */
  arrival: number;
  /** Of a second copy; -1 when there is none. */
  secondArrival: number;
  isCorrupted: boolean;
}

export function createNetwork(settings: Settings, seed: number): Network {
  const links = slotsMax * slotsMax;
  const prngs: Prng[] = [];
  for (let link = 0; link < links; link++) prngs.push(new Prng(seed, "link", link));
  return {
    settings,
    prngs,
    cuts: new Int32Array(links),
    slowness: new Float64Array(links).fill(1),
    cloggedUntil: new Float64Array(links),
    connections: new Int32Array(links),
    lastArrival: new Float64Array(links),
    isCalm: false,
  };
}

export function linkOf(from: number, to: number): number {
  return from * slotsMax + to;
}

/** Draws the fate of a message into `flight`. */
export function fly(network: Network, link: number, now: number, flight: Flight): void {
  const { settings } = network;
  const prng = network.prngs[link] ?? new Prng(0, "link", link);
  flight.secondArrival = -1;
  flight.isCorrupted = false;
  const isLost = !network.isCalm && settings.loss > 0 && prng.chance(settings.loss);
  if ((network.cuts[link] ?? 0) > 0 || isLost) {
    flight.arrival = -1;
    return;
  }
  flight.arrival = arrivalOf(network, link, now, prng);
  if (network.isCalm) return;
  if (settings.duplicate > 0 && prng.chance(settings.duplicate))
    flight.secondArrival = arrivalOf(network, link, now, prng);
  flight.isCorrupted = settings.corrupt > 0 && prng.chance(settings.corrupt);
}

function arrivalOf(network: Network, link: number, now: number, prng: Prng): number {
  const { settings } = network;
  const slowness = network.slowness[link] ?? 1;
  let delay = prng.between(settings.delayMinUs, settings.delayMaxUs) * slowness;
  if (!network.isCalm && settings.straggle > 0 && prng.chance(settings.straggle)) delay *= 10;
  let arrival = Math.max(now, network.cloggedUntil[link] ?? 0) + delay;
  if (settings.ordered) {
    arrival = Math.max(arrival, network.lastArrival[link] ?? 0);
    network.lastArrival[link] = arrival;
  }
  return arrival;
}

/** A copy with one bit flipped. */
export function corrupted(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = bytes.slice();
  const at = prng.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << prng.below(8));
  return copy;
}

/** What the frame around a message carries, so that a flipped bit is noticed. */
export function checksumOf(bytes: Uint8Array): number {
  return hashBytes(bytes);
}

/** Loses what is on its way between two members, in both directions. */
export function resetConnection(network: Network, left: number, right: number): void {
  for (const link of [linkOf(left, right), linkOf(right, left)]) renewLink(network, link);
}

/** Loses what is on its way on a link; what is sent from now on does not queue behind it. */
export function renewLink(network: Network, link: number): void {
  network.connections[link] = (network.connections[link] ?? 0) + 1;
  network.lastArrival[link] = 0;
}

/**
 * The links that a cut takes away. `slots` are the members there are; `centre` is the one that the cut is about.
 *
 * A bridge sees both halves; in a ring each member sees only its two neighbours.
 */
export function cutLinks(
  shape: CutShape,
  slots: readonly number[],
  centre: number,
): readonly number[] {
  const at = Math.max(0, slots.indexOf(centre));
  const turned = [...slots.slice(at), ...slots.slice(0, at)];
  const links: number[] = [];
  for (let i = 0; i < turned.length; i++)
    for (let j = 0; j < turned.length; j++) {
      if (i !== j && isCut(shape, i, j, turned.length))
        links.push(linkOf(turned[i] ?? 0, turned[j] ?? 0));
    }
  return links;
}

/** `i` and `j` are places in the order that begins with the centre. */
function isCut(shape: CutShape, i: number, j: number, count: number): boolean {
  const half = count >> 1;
  switch (shape) {
    case "halves":
      return i <= half !== j <= half;
    case "one":
      return i === 0 || j === 0;
    case "inbound":
      return j === 0;
    case "outbound":
      return i === 0;
    case "link":
      return i + j === 1;
    case "bridge":
      return i !== 0 && j !== 0 && i <= half !== j <= half;
    case "ring":
      return (i - j + count) % count !== 1 && (j - i + count) % count !== 1;
  }
}
