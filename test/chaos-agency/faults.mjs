import { setTimeout as delay } from "node:timers/promises";

/** Kinds by class. Two faults at once are of different classes, so that none undoes the other. */
const kinds = {
  kill: [
    ["kill leader", 4],
    ["kill follower", 2],
    ["kill two", 2],
    ["kill all", 1],
  ],
  pause: [
    ["pause leader", 4],
    ["pause follower", 2],
  ],
  cut: [
    ["isolate leader", 4],
    ["isolate follower", 2],
    ["mute leader", 2],
    ["deafen leader", 2],
    ["cut pair", 2],
  ],
};

/** Draws rounds without an end: one fault, or two that overlap. */
export function* schedule(random) {
  for (;;) {
    const classes = random.shuffled(Object.keys(kinds)).slice(0, random.between(1, 10) > 6 ? 2 : 1);
    yield {
      faults: classes.map((of, place) => ({
        kind: random.weighted(kinds[of]),
        afterMs: place === 0 ? 0 : random.between(100, 2_000),
        lastsMs: of === "kill" ? random.between(300, 3_000) : random.between(2_000, 8_000),
        order: random.shuffled([0, 1, 2]),
      })),
      restMs: random.between(500, 3_000),
    };
  }
}

export function describe({ faults }) {
  return faults
    .map(({ kind, afterMs, lastsMs }) => `${kind} at ${afterMs} ms for ${lastsMs} ms`)
    .join(", ");
}

/** Carries out faults, proves that each happened, and counts them. */
export class Faults {
  /** By kind: how many were made, and how many of these the kernel confirmed. */
  counts = new Map();
  terms = new Set();
  #members;
  #network;
  #busy = new Set();

  constructor({ members, network }) {
    this.#members = members;
    this.#network = network;
  }

  /** Ends when everything is as before. */
  async run({ faults, restMs }) {
    await Promise.all(faults.map((fault) => this.#carryOut(fault)));
    await delay(restMs);
    await this.noteTerm();
  }

  async noteTerm() {
    const leader = await this.#members.leader();
    if (leader !== undefined) this.terms.add(leader.term);
  }

  async killAll(lastsMs) {
    await this.#kill("kill all", this.#members.all, lastsMs);
  }

  async #carryOut({ kind, afterMs, lastsMs, order }) {
    await delay(afterMs);
    const leader = (await this.#members.leader())?.at;
    // The leader first, the others as drawn; what another fault has in its hands is left out.
    const free = order.filter((at) => !this.#busy.has(at));
    const ranked = [...free.filter((at) => at === leader), ...free.filter((at) => at !== leader)];
    const [first, second] = kind.endsWith("follower") ? ranked.toReversed() : ranked;
    // All are down: there is nobody left to harm.
    if (first === undefined) return;
    const others = this.#members.all.filter((at) => at !== first);
    const outward = others.map((other) => [first, other]);
    const inward = others.map((other) => [other, first]);
    switch (kind) {
      case "kill leader":
      case "kill follower":
        return this.#kill(kind, [first], lastsMs);
      case "kill two":
        return this.#kill(kind, second === undefined ? [first] : [first, second], lastsMs);
      case "kill all":
        return this.#kill(kind, free, lastsMs);
      case "pause leader":
      case "pause follower":
        return this.#pause(kind, first, lastsMs);
      case "isolate leader":
      case "isolate follower":
        return this.#cut(kind, [...outward, ...inward], lastsMs);
      case "mute leader":
        return this.#cut(kind, outward, lastsMs);
      case "deafen leader":
        return this.#cut(kind, inward, lastsMs);
      case "cut pair":
        return this.#cut(kind, [outward[0], inward[0]], lastsMs);
      default:
        throw new Error(`no fault is called ${kind}`);
    }
  }

  async #kill(kind, targets, lastsMs) {
    for (const at of targets) this.#busy.add(at);
    const killed = await Promise.all(targets.map((at) => this.#members.kill(at)));
    await delay(lastsMs);
    const areDown = targets.every((at) => !this.#members.isRunning(at));
    for (const at of targets) {
      this.#members.start(at);
      this.#busy.delete(at);
    }
    this.#count(kind, areDown && killed.every(Boolean));
  }

  async #pause(kind, target, lastsMs) {
    this.#busy.add(target);
    const hasStopped = await this.#members.pause(target);
    await delay(lastsMs);
    const isStopped = this.#members.isPaused(target);
    const goesOn = await this.#members.resume(target);
    this.#busy.delete(target);
    this.#count(kind, hasStopped && isStopped && goesOn);
  }

  async #cut(kind, links, lastsMs) {
    const endAt = performance.now() + lastsMs;
    for (const [from, to] of links) this.#network.cut(from, to);
    const proofs = await Promise.all(links.map((link) => this.#fallsSilent(link, endAt)));
    await delay(Math.max(0, endAt - performance.now()));
    for (const [from, to] of links) this.#network.heal(from, to);
    const areBack = await Promise.all(
      links.map(async ([a, b]) => !(await this.#network.isSilent(a, b))),
    );
    this.#count(kind, [...proofs, ...areBack].every(Boolean));
  }

  /** Before the time is up: relays see nothing of a cut while no member speaks. */
  async #fallsSilent([from, to], endAt) {
    while (performance.now() < endAt) {
      if (await this.#network.isSilent(from, to)) return true;
      await delay(50);
    }
    return false;
  }

  #count(kind, isProven) {
    const { made, proven } = this.counts.get(kind) ?? { made: 0, proven: 0 };
    this.counts.set(kind, { made: made + 1, proven: proven + Number(isProven) });
  }
}
