import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createAsker, createRoamer } from "./http.mjs";
import { differences, listHolders, listProcesses } from "./reality.mjs";

const halond = fileURLToPath(new URL("../../packages/cli/bin/halond.js", import.meta.url));
const halonctl = fileURLToPath(new URL("../../packages/cli/bin/halonctl.js", import.meta.url));
const services = fileURLToPath(new URL("./services/", import.meta.url));
const readyMs = 60_000;
const stopMs = 20_000;
const askMs = 2_000;

/** The nodes of a run: separate processes, each started again with the same command after it was killed. */
export class Cluster {
  #children = new Map();
  #askers = new Map();
  /** Nodes whose process was sent SIGSTOP. */
  #paused = new Set();
  /** Node to the failpoint that it may die at. */
  #armed = new Map();
  /** Processes whose end was asked for. */
  #ending = new Set();
  #isClosed = false;
  /** Whether every tracking node answered when they were asked last. */
  wasWhole = false;
  /** Whether the processes of enough tracking nodes run: without, nothing can be decided. */
  hasMajority = false;
  /** Whether enough of them have also come so far that they answer: with these, all is to be decided. */
  canDecide = false;
  /** Called after each change of these. */
  onMajority = () => undefined;
  /** Tracking nodes that have answered since their start. */
  #ready = new Set();

  constructor({ directory, run, ports, tracking, satellites, store, violate }) {
    this.directory = directory;
    this.run = run;
    this.ports = ports;
    this.trackingNodes = tracking;
    this.satelliteNodes = satellites;
    this.nodeNames = [...tracking, ...satellites];
    this.store = store;
    this.violate = violate;
    this.oraclePath = join(directory, "oracle.txt");
    writeFileSync(this.oraclePath, "");
    for (const name of this.nodeNames) {
      this.#askers.set(name, createAsker(ports[name], { timeoutMs: askMs }));
      mkdirSync(join(directory, "failpoints", name), { recursive: true });
    }
    this.anyNode = createRoamer(
      this.nodeNames.map((name) => ports[name]),
      { timeoutMs: askMs * 2 },
    );
  }

  static async create({ tracking, nodes, ...setting }) {
    const names = (prefix, count) =>
      Array.from({ length: count }, (_, at) => `${prefix}-${at + 1}`);
    const all = {
      tracking: names("track", tracking),
      satellites: names("sat", nodes - tracking),
    };
    const ports = {};
    for (const name of [...all.tracking, ...all.satellites])
      ports[name] = await freePort(Object.values(ports));
    return new Cluster({ ...setting, ...all, ports });
  }

  /** More than half of the tracking nodes. */
  get majority() {
    return Math.floor(this.trackingNodes.length / 2) + 1;
  }

  /** How many tracking nodes it takes to decide: with a store of its own elsewhere, one of them does. */
  get deciders() {
    return this.store === undefined ? this.majority : 1;
  }

  async start() {
    // Who says hello first is a tracking node, so the satellites come after.
    for (const group of [this.trackingNodes, this.satelliteNodes]) {
      for (const name of group) this.spawn(name);
      await Promise.all(group.map((name) => this.#whenReady(name)));
    }
    const file = join(this.directory, "cluster.json");
    const config = { run: this.run, oracle: this.oraclePath };
    const type = (name) => join(services, `${name}.service.ts`);
    const content = {
      services: [
        { type: type("thread"), on: "every-node", config },
        { type: type("proc"), on: "every-node", config },
        { type: type("mover"), on: "any-node", replicas: 2, onNodeLoss: "move", config },
      ],
      rules: [join(services, "chaos.rules.ts")],
    };
    writeFileSync(file, JSON.stringify(content, null, 2));
    const endpoint = `http://127.0.0.1:${this.ports[this.trackingNodes[0]]}`;
    await this.#runOnce([halonctl, "apply", "-f", file, "--endpoint", endpoint, "--wait"]);
  }

  /** Starts the node's `halond`, if it does not run; does nothing once the run is being cleaned up. */
  spawn(name) {
    if (this.#isClosed || this.isRunning(name)) return;
    const log = openSync(join(this.directory, `${name}.log`), "a");
    const isTracking = this.trackingNodes.includes(name);
    const [first] = this.trackingNodes;
    const child = spawn(
      process.execPath,
      [
        halond,
        "start",
        ...["--name", name, "--data-dir", join(this.directory, name)],
        ...["--listen", `127.0.0.1:${this.ports[name]}`, "--log.format", "json"],
        ...["--agency-size", String(this.trackingNodes.length)],
        ...(name === first ? [] : ["--join", `127.0.0.1:${this.ports[first]}`]),
        ...(this.store === undefined ? [] : ["--store", this.store]),
      ],
      {
        // A session of its own: Ctrl-C is for the harness, which ends its nodes itself.
        detached: true,
        stdio: ["ignore", log, log],
        env: {
          ...process.env,
          ...(isTracking && { HALON_FAILPOINTS: join(this.directory, "failpoints", name) }),
        },
      },
    );
    closeSync(log);
    const exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#ended(name, child, { code, signal });
        resolve({ code, signal });
      });
    });
    this.#children.set(name, { child, exited });
    this.#ready.delete(name);
    this.#countMajority();
    void this.#watchStart(name, child);
  }

  isRunning(name) {
    const child = this.#children.get(name)?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Resolves with `{ code, signal }` when the node's present process ends. */
  exited(name) {
    return this.#children.get(name).exited;
  }

  async kill(name) {
    const { child, exited } = this.#children.get(name);
    this.#ending.add(child);
    child.kill("SIGKILL");
    await exited;
  }

  /** Stops the clock of the node's `halond`, until `resume`. */
  pause(name) {
    this.#paused.add(name);
    this.#children.get(name).child.kill("SIGSTOP");
    this.#countMajority();
  }

  resume(name) {
    this.#paused.delete(name);
    this.#children.get(name).child.kill("SIGCONT");
    this.#countMajority();
  }

  asker(name) {
    return this.#askers.get(name);
  }

  processes() {
    return listProcesses(this.directory);
  }

  /** The node that says of itself that it leads, under the highest epoch; undefined when none does. */
  async leader() {
    return leaderOf(await this.#statuses());
  }

  /** Waits until a node leads that fits; undefined when none did in time. */
  async whenLeads(fits, deadlineMs) {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const leader = await this.leader();
      if (leader !== undefined && fits(leader)) return leader;
      if (performance.now() > deadline) return undefined;
      await delay(20);
    }
  }

  /** Where the graph and what really runs differ. */
  async compare() {
    const holders = await listHolders(this.run);
    const processes = this.processes();
    const statuses = await this.#statuses();
    const leader = leaderOf(statuses);
    if (leader === undefined) return ["no node says that it leads"];
    const replicas = this.nodeNames
      .filter((name) => name !== leader)
      .map((name) => ({ name, seen: statuses.get(name) }));
    const count = this.nodeNames.length;
    const wanted = { thread: count, proc: count, mover: 2 };
    return differences({ status: statuses.get(leader), replicas, processes, holders, wanted });
  }

  /** What each node says that can say something. */
  async #statuses() {
    const asked = this.nodeNames.filter((name) => this.isRunning(name) && !this.#paused.has(name));
    const statuses = new Map();
    const ask = async (name) => {
      try {
        const { status, body } = await this.asker(name).get("/v1/status");
        if (status === 200) statuses.set(name, body);
      } catch {
        // It says nothing.
      }
    };
    await Promise.all(asked.map(ask));
    this.wasWhole = this.trackingNodes.every((name) => statuses.has(name));
    return statuses;
  }

  async #whenReady(name) {
    const deadline = performance.now() + readyMs;
    while (performance.now() < deadline) {
      if (!this.isRunning(name)) break;
      try {
        if ((await this.asker(name).get("/v1/status")).body.cluster?.leader) return;
      } catch {
        // Not yet.
      }
      await delay(100);
    }
    throw new Error(
      `node ${name} was not ready in ${readyMs} ms; see ${this.directory}/${name}.log`,
    );
  }

  async #runOnce(args) {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`${args.join(" ")} ended with code ${code}`);
  }

  /** An end that nobody asked for is a violation; the run goes on to show what comes of it. */
  #ended(name, child, how) {
    this.#countMajority();
    if (this.#ending.delete(child) || this.#isClosed) return;
    const point = this.#armed.get(name);
    if (how.signal === "SIGKILL" && point !== undefined && !this.isArmed(name, point)) return;
    this.violate(
      `the halond of ${name} ended by itself: ${JSON.stringify(how)}; see ${this.directory}/${name}.log`,
    );
    setTimeout(() => this.spawn(name), 1_000).unref();
  }

  #countMajority() {
    const up = this.trackingNodes.filter((name) => this.isRunning(name) && !this.#paused.has(name));
    const ready = up.filter((name) => this.#ready.has(name));
    const [hasMajority, canDecide] = [up, ready].map(({ length }) => length >= this.deciders);
    if (hasMajority === this.hasMajority && canDecide === this.canDecide) return;
    this.hasMajority = hasMajority;
    this.canDecide = canDecide;
    this.onMajority();
  }

  /** Asks the process that was just started until it answers, or has ended. */
  async #watchStart(name, child) {
    const isPresent = () => this.#children.get(name)?.child === child && this.isRunning(name);
    while (isPresent() && !this.#isClosed) {
      try {
        const { status } = await this.asker(name).get("/v1/status");
        if (status === 200 && isPresent()) {
          this.#ready.add(name);
          this.#countMajority();
          return;
        }
      } catch {
        // Not yet.
      }
      await delay(50);
    }
  }

  /** Stops every node as a person would; what is left of their services then is a violation. */
  async stop() {
    this.#isClosed = true;
    for (const name of [...this.satelliteNodes, ...this.trackingNodes]) {
      if (!this.isRunning(name)) continue;
      const { child, exited } = this.#children.get(name);
      child.kill("SIGTERM");
      const how = await Promise.race([exited, delay(stopMs, undefined, { ref: false })]);
      if (how?.code !== 0)
        this.violate(`${name} did not stop in ${stopMs} ms with code 0: ${JSON.stringify(how)}`);
    }
    for (const { pid, instance } of this.processes())
      this.violate(`process ${pid} of ${instance} outlived the stop of its node`);
  }

  /** Leaves nothing of the run behind, whatever state it is in. */
  async abandon() {
    this.#isClosed = true;
    const ends = [...this.#children.keys()]
      .filter((name) => this.isRunning(name))
      .map((name) => this.kill(name));
    await Promise.all(ends);
    for (const asker of this.#askers.values()) asker.close();
    this.anyNode.close();
    // Once more, until nothing is left: what was just being started may not have been seen.
    for (let found = this.processes(); found.length > 0; found = this.processes()) {
      for (const { pid } of found) endProcess(pid);
      await delay(20);
    }
  }

  /** Arms the point: the node kills itself when it passes it next. */
  arm(name, point) {
    this.#armed.set(name, point);
    writeFileSync(this.#pointFile(name, point), "");
  }

  isArmed(name, point) {
    return existsSync(this.#pointFile(name, point));
  }

  /** False when the node has just passed the point, and so is ending. */
  disarm(name, point) {
    try {
      unlinkSync(this.#pointFile(name, point));
      this.#armed.delete(name);
      return true;
    } catch {
      return false;
    }
  }

  #pointFile(name, point) {
    return join(this.directory, "failpoints", name, point);
  }
}

function leaderOf(statuses) {
  const own = [...statuses].filter(([name, { cluster }]) => cluster.leader === name);
  own.sort(([, a], [, b]) => b.cluster.epoch - a.cluster.epoch);
  return own[0]?.[0];
}

function endProcess(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

/** A port below those that the kernel gives to clients: one of these could take it while its node is down. */
async function freePort(taken) {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
