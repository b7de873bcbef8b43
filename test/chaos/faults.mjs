import { setTimeout as delay } from "node:timers/promises";
import { satelliteNodes, trackingNode } from "./cluster.mjs";
import { tell } from "./reality.mjs";

/** What the tracking node passes on the way of a record, and may die at. */
export const failpoints = ["store.after-write", "store.after-fsync", "coordinator.after-commit"];

const hitMs = 10_000;
const targetMs = 5_000;

const kinds = [
  ["satellite", 4],
  ["both-satellites", 1],
  ["machine", 2],
  ["tracking", 2],
  ["group", 3],
  ["leader", 3],
  ["worker-crash", 3],
  ["worker-hang", 1],
];

/** The two faults of a round fall together, or one has run its course when the other comes. */
const spacings = [
  (random) => ({ failpointAtMs: random.between(0, 1_500), atMs: random.between(0, 2_500) }),
  (random) => ({ failpointAtMs: random.between(0, 500), atMs: random.between(3_000, 4_500) }),
  (random) => ({ failpointAtMs: random.between(3_500, 5_000), atMs: random.between(0, 500) }),
];

/**
 * Draws rounds without an end. Each is a kill at a failpoint and another kill, so half of all are at failpoints.
 */
export function* schedule(random) {
  for (;;) {
    for (const failpoint of random.shuffled(failpoints)) {
      yield {
        failpoint,
        ...random.pick(spacings)(random),
        kind: random.weighted(kinds),
        satellite: random.pick(satelliteNodes),
        node: random.pick([trackingNode, ...satelliteNodes]),
        service: random.pick(["proc", "mover"]),
        downMs: [
          random.between(200, 2_000),
          random.between(200, 2_000),
          random.between(200, 2_000),
        ],
      };
    }
  }
}

export function describe(round) {
  const { failpoint, failpointAtMs, kind, atMs, satellite, node, service, downMs } = round;
  const where = {
    satellite,
    "both-satellites": satelliteNodes.join("+"),
    machine: satellite,
    tracking: trackingNode,
    group: `${service} (${node} if there)`,
    leader: `${service} (${node} if there)`,
    "worker-crash": node,
    "worker-hang": node,
  }[kind];
  return `${failpoint} at ${failpointAtMs} ms, ${kind} ${where} at ${atMs} ms, down ${downMs.join("/")} ms`;
}

/** Carries out faults, counts them, and keeps those of the tracking node apart. */
export class Faults {
  counts = new Map();
  #cluster;
  #violate;
  #tracking = Promise.resolve();

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
    const names = [trackingNode, ...satelliteNodes];
    await Promise.all(names.map((name) => this.#cluster.kill(name)));
    this.#count("all-nodes");
    await delay(downMs);
    for (const name of names) this.#cluster.spawn(name);
  }

  #count(kind) {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** One fault of the tracking node at a time: a failpoint counts only if nothing else killed it. */
  #alone(fault) {
    const done = this.#tracking.then(fault);
    this.#tracking = done.catch(() => undefined);
    return done;
  }

  async #hit(point, downMs) {
    const cluster = this.#cluster;
    const exited = cluster.exited(trackingNode);
    cluster.arm(point);
    const how = await Promise.race([exited, delay(hitMs, undefined, { ref: false })]);
    if (how === undefined || cluster.isArmed(point) || how.signal !== "SIGKILL") {
      this.#violate(
        `failpoint ${point} was not hit in ${hitMs} ms: ${JSON.stringify(how ?? "it runs on")}; see ${cluster.directory}/${trackingNode}.log`,
      );
      if (cluster.isRunning(trackingNode)) await cluster.kill(trackingNode);
    } else this.#count(point);
    await delay(downMs);
    cluster.spawn(trackingNode);
  }

  async #other(round) {
    const { kind, satellite, node, service, downMs } = round;
    switch (kind) {
      case "satellite":
        await this.#restart(satellite, downMs[1]);
        break;
      case "both-satellites":
        await Promise.all(satelliteNodes.map((name, at) => this.#restart(name, downMs[at + 1])));
        break;
      case "machine":
        await this.#restart(satellite, downMs[1], () => this.#killServicesOf(satellite));
        break;
      case "tracking":
        await this.#alone(() => this.#restart(trackingNode, downMs[1]));
        break;
      case "group":
      case "leader":
        if (!(await this.#killProcess(kind, service, node))) return;
        break;
      case "worker-crash":
      case "worker-hang":
        if (!(await this.#order(node, kind.slice("worker-".length)))) return;
        break;
    }
    this.#count(kind);
  }

  async #restart(name, downMs, afterKill = () => undefined) {
    await this.#cluster.kill(name);
    afterKill();
    await delay(downMs);
    this.#cluster.spawn(name);
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
