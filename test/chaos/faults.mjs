import { setTimeout as delay } from "node:timers/promises";
import { tell } from "./reality.mjs";

/** What the node that leads passes on the way of a record, and may die at; the log of a store elsewhere is not its own. */
export function failpointsOf({ store }) {
  const own = store === undefined ? ["store.after-write", "store.after-fsync"] : [];
  return [...own, "coordinator.after-commit"];
}

const hitMs = 20_000;
const targetMs = 5_000;
/** Without a leader for so long although a majority runs: none will come. */
const leaderMs = 20_000;
/** The next leads while the one before is paused; a pause lasts until then, and at most so long. */
const pauseMsMax = 10_000;

const serviceFaults = [
  ["group", 3],
  ["process", 3],
  ["worker-crash", 3],
  ["worker-hang", 1],
];
const satelliteFaults = [
  ["satellite", 3],
  ["all-satellites", 1],
  ["machine", 2],
];
const leaderFaults = [["leader", 2]];
const majorityFaults = [
  ["follower", 2],
  ["leader-and-satellite", 1],
  ["majority", 1],
  ["pause", 2],
  ["all-nodes", 1],
];

/** The two faults of a round fall together, or one has run its course when the other comes. */
const spacings = [
  (random) => ({ failpointAtMs: random.between(0, 1_500), atMs: random.between(0, 2_500) }),
  (random) => ({ failpointAtMs: random.between(0, 500), atMs: random.between(3_000, 4_500) }),
  (random) => ({ failpointAtMs: random.between(3_500, 5_000), atMs: random.between(0, 500) }),
];

/** What can befall a cluster of these nodes. */
function kindsFor({ trackingNodes, satelliteNodes }) {
  return [
    ...serviceFaults,
    ...leaderFaults,
    ...(satelliteNodes.length > 0 ? satelliteFaults : []),
    ...(trackingNodes.length > 1 ? majorityFaults : []),
  ].filter(([kind]) => kind !== "leader-and-satellite" || satelliteNodes.length > 0);
}

/**
 * Draws rounds without an end. Each is a kill at a failpoint and another fault, so half of all are at failpoints. Who
 * leads is not drawn: it is asked at the moment of the fault.
 */
export function* schedule(random, cluster) {
  const kinds = kindsFor(cluster);
  for (;;) {
    for (const failpoint of random.shuffled(failpointsOf(cluster))) {
      const downMs = () => random.between(200, 2_000);
      yield {
        failpoint,
        ...random.pick(spacings)(random),
        kind: random.weighted(kinds),
        satellite: random.pick(cluster.satelliteNodes),
        tracking: random.shuffled(cluster.trackingNodes),
        node: random.pick(cluster.nodeNames),
        service: random.pick(["proc", "mover"]),
        downMs: [downMs(), downMs(), downMs()],
        lostMs: random.between(4_000, 6_000),
        pauseMs: random.between(3_000, pauseMsMax),
      };
    }
  }
}

export function describe(round) {
  const { failpoint, failpointAtMs, kind, atMs, satellite, node, service, downMs } = round;
  const where = {
    satellite,
    machine: satellite,
    "leader-and-satellite": satellite,
    majority: `for ${round.lostMs} ms`,
    pause: `for ${round.pauseMs} ms`,
    group: `${service} (${node} if there)`,
    process: `${service} (${node} if there)`,
    "worker-crash": node,
    "worker-hang": node,
  }[kind];
  const other = where === undefined ? kind : `${kind} ${where}`;
  return `${failpoint} at ${failpointAtMs} ms, ${other} at ${atMs} ms, down ${downMs.join("/")} ms`;
}

/** Carries out faults, counts them, and never has two at once that a leader would die of. */
export class Faults {
  counts = new Map();
  /**
   * From a leader's end or pause to the moment when another said that it leads, in ms; where all the others answered
   * before that.
   */
  takeoversMs = [];
  #cluster;
  #violate;
  #leading = Promise.resolve();
  /** The node that is to die at a failpoint, and of nothing else. */
  #armed;

  constructor({ cluster, violate }) {
    this.#cluster = cluster;
    this.#violate = violate;
  }

  /** Ends when every killed node has been started again. */
  async run(round) {
    await Promise.all([
      delay(round.failpointAtMs).then(() =>
        this.#alone(() => this.#hit(round.failpoint, round.downMs[0])),
      ),
      delay(round.atMs).then(() => this.#other(round)),
    ]);
  }

  /** All nodes at once; their OS processes go on alone meanwhile. */
  async killAll(downMs) {
    const names = this.#cluster.nodeNames;
    await Promise.all(names.map((name) => this.#cluster.kill(name)));
    await delay(downMs);
    for (const name of names) this.#cluster.spawn(name);
  }

  #count(kind) {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** One fault of the leader at a time: a failpoint counts only if nothing else killed the node. */
  #alone(fault) {
    const done = this.#leading.then(fault);
    this.#leading = done.catch(() => undefined);
    return done;
  }

  /** Whoever leads is to die at the point; when another leads before that, the other one is. */
  async #hit(point, downMs) {
    const cluster = this.#cluster;
    const deadline = performance.now() + hitMs;
    while (performance.now() < deadline) {
      const leader = await cluster.leader();
      if (leader === undefined) continue;
      if (leader !== this.#armed) {
        if (this.#armed === undefined || cluster.disarm(this.#armed, point)) {
          cluster.arm(leader, point);
          this.#armed = leader;
        }
      }
      const name = this.#armed;
      const how = await Promise.race([cluster.exited(name), delay(500, undefined, { ref: false })]);
      if (how === undefined) continue;
      this.#armed = undefined;
      if (cluster.disarm(name, point)) continue;
      this.#count(point);
      await this.#takenOver(name, { since: performance.now(), wasWhole: cluster.wasWhole });
      await delay(downMs);
      cluster.spawn(name);
      return;
    }
    this.#violate(`no leader passed the failpoint ${point} in ${hitMs} ms`);
    if (this.#armed !== undefined) cluster.disarm(this.#armed, point);
    this.#armed = undefined;
  }

  async #other(round) {
    const { kind, satellite, node, service, downMs } = round;
    const { satelliteNodes } = this.#cluster;
    switch (kind) {
      case "satellite":
        await this.#restart(satellite, downMs[1]);
        break;
      case "all-satellites":
        await Promise.all(satelliteNodes.map((name, at) => this.#restart(name, downMs[at % 3])));
        break;
      case "machine":
        await this.#restart(satellite, downMs[1], () => this.#killServicesOf(satellite));
        break;
      case "follower": {
        const leader = await this.#leader();
        const spared = [leader, this.#armed];
        await this.#restart(
          round.tracking.find((name) => !spared.includes(name)),
          downMs[1],
        );
        break;
      }
      case "group":
      case "process":
        if (!(await this.#killProcess(kind, service, node))) return;
        break;
      case "worker-crash":
      case "worker-hang":
        if (!(await this.#order(node, kind.slice("worker-".length)))) return;
        break;
      default:
        await this.#alone(() => this.#ofLeader(round));
    }
    this.#count(kind);
  }

  async #ofLeader({ kind, satellite, tracking, downMs, lostMs, pauseMs }) {
    const leader = await this.#leader();
    switch (kind) {
      case "leader":
        return this.#restartLeader(leader, downMs[1]);
      case "leader-and-satellite":
        return Promise.all([
          this.#restartLeader(leader, downMs[1]),
          this.#restart(satellite, downMs[2]),
        ]);
      case "majority": {
        const left = this.#cluster.trackingNodes.length - this.#cluster.majority;
        const lost = [leader, ...tracking.filter((name) => name !== leader)].slice(0, left + 1);
        // They come back one after the other: with the first there is a majority again.
        return Promise.all(lost.map((name, at) => this.#restart(name, lostMs + at * downMs[1])));
      }
      case "pause":
        return this.#pause(leader, pauseMs);
      case "all-nodes":
        return this.killAll(downMs[1]);
    }
  }

  async #leader() {
    const leader = await this.#cluster.whenLeads(() => true, leaderMs);
    if (leader === undefined) throw new Error(`no node led in ${leaderMs} ms`);
    return leader;
  }

  async #restart(name, downMs, afterKill = () => undefined) {
    await this.#cluster.kill(name);
    afterKill();
    await delay(downMs);
    this.#cluster.spawn(name);
  }

  async #restartLeader(name, downMs) {
    const before = { since: performance.now(), wasWhole: this.#cluster.wasWhole };
    await this.#cluster.kill(name);
    await Promise.all([this.#takenOver(name, before), delay(downMs)]);
    this.#cluster.spawn(name);
  }

  /** It knows nothing of its successor when it goes on, and finds out by what it sends. */
  async #pause(name, pauseMs) {
    const before = { since: performance.now(), wasWhole: this.#cluster.wasWhole };
    this.#cluster.pause(name);
    await Promise.all([this.#takenOver(name, before), delay(pauseMs)]);
    this.#cluster.resume(name);
  }

  /** Waits until another node leads, where a majority is left for that. */
  async #takenOver(name, { since, wasWhole }) {
    if (this.#cluster.trackingNodes.length === 1) return;
    const next = await this.#cluster.whenLeads((leader) => leader !== name, pauseMsMax);
    if (next !== undefined && wasWhole) this.takeoversMs.push(performance.now() - since);
    if (next === undefined)
      this.#violate(`no other node led in ${pauseMsMax} ms after the end or pause of ${name}`);
  }

  #killServicesOf(node) {
    for (const found of this.#cluster.processes()) if (found.node === node) kill(found.pid);
  }

  /** The service on the node, or where it runs at all; false when it runs nowhere for a while. */
  async #killProcess(kind, service, node) {
    return this.#eventually(`${kind} of ${service}`, () => {
      const leaders = this.#cluster
        .processes()
        .filter((found) => found.service === service && found.pid === found.group);
      const target = leaders.find((found) => found.node === node) ?? leaders[0];
      return target !== undefined && kill(kind === "group" ? -target.pid : target.pid);
    });
  }

  async #order(node, order) {
    return this.#eventually(`${order} of thread on ${node}`, async () => {
      return (await tell(this.#cluster.run, `${node}-thread`, order)) !== "";
    });
  }

  async #eventually(what, attempt) {
    const deadline = performance.now() + targetMs;
    while (performance.now() < deadline) {
      if (await attempt()) return true;
      await delay(50);
    }
    // A person may have stopped it, or its node is down: that is not a fault of the cluster.
    this.#count("no-target");
    console.log(`         no target for ${what}`);
    return false;
  }
}

function kill(pid) {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    // It has ended meanwhile.
    return false;
  }
}
