import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createAsker } from "./http.mjs";
import { differences, listHolders, listProcesses } from "./reality.mjs";

const halond = fileURLToPath(new URL("../../packages/cli/bin/halond.js", import.meta.url));
const halonctl = fileURLToPath(new URL("../../packages/cli/bin/halonctl.js", import.meta.url));
const services = fileURLToPath(new URL("./services/", import.meta.url));
const readyMs = 30_000;
const stopMs = 20_000;

export const trackingNode = "track";
export const satelliteNodes = ["sat-1", "sat-2"];
const nodeNames = [trackingNode, ...satelliteNodes];
const wanted = { thread: 3, proc: 3, mover: 2 };

/** The nodes of a run: separate processes, each started again with the same command after it was killed. */
export class Cluster {
  #children = new Map();
  #askers = new Map();
  #isClosed = false;

  constructor({ directory, run, ports, violate }) {
    this.directory = directory;
    this.run = run;
    this.ports = ports;
    this.violate = violate;
    this.oraclePath = join(directory, "oracle.txt");
    this.failpoints = join(directory, "failpoints");
    mkdirSync(this.failpoints);
    writeFileSync(this.oraclePath, "");
    for (const name of nodeNames)
      this.#askers.set(name, createAsker(ports[name], { timeoutMs: 2_000 }));
  }

  static async create({ directory, run, violate }) {
    const ports = {};
    for (const name of nodeNames) ports[name] = await freePort(Object.values(ports));
    return new Cluster({ directory, run, ports, violate });
  }

  async start() {
    for (const name of nodeNames) {
      this.spawn(name);
      await this.#whenReady(name);
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
    const endpoint = `http://127.0.0.1:${this.ports[trackingNode]}`;
    await this.#runOnce([halonctl, "apply", "-f", file, "--endpoint", endpoint, "--wait"]);
  }

  /** Starts the node's `halond`; does nothing once the run is being cleaned up. */
  spawn(name) {
    if (this.#isClosed) return;
    const log = openSync(join(this.directory, `${name}.log`), "a");
    const membership =
      name === trackingNode ? [] : ["--join", `127.0.0.1:${this.ports[trackingNode]}`];
    const child = spawn(
      process.execPath,
      [
        halond,
        "start",
        ...["--name", name, "--data-dir", join(this.directory, name)],
        ...["--listen", `127.0.0.1:${this.ports[name]}`, "--log.format", "json", ...membership],
      ],
      {
        // A session of its own: Ctrl-C is for the harness, which ends its nodes itself.
        detached: true,
        stdio: ["ignore", log, log],
        env: {
          ...process.env,
          ...(name === trackingNode && { HALON_FAILPOINTS: this.failpoints }),
        },
      },
    );
    closeSync(log);
    const exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.#children.set(name, { child, exited });
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
    child.kill("SIGKILL");
    await exited;
  }

  asker(name) {
    return this.#askers.get(name);
  }

  processes() {
    return listProcesses(this.directory);
  }

  /** Where the graph and what really runs differ. */
  async compare() {
    const holders = await listHolders(this.run);
    const processes = this.processes();
    const [status, ...seen] = await Promise.all(nodeNames.map((name) => this.#status(name)));
    if (status === undefined) return ["the tracking node does not answer"];
    const satellites = satelliteNodes.map((name, at) => ({ name, seen: seen[at] }));
    return differences({ status, satellites, processes, holders, wanted });
  }

  async #status(name) {
    try {
      const { status, body } = await this.asker(name).get("/v1/status");
      return status === 200 ? body : undefined;
    } catch {
      return undefined;
    }
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

  /** Stops every node as a person would; what is left of their services then is a violation. */
  async stop() {
    this.#isClosed = true;
    for (const name of [...satelliteNodes, trackingNode]) {
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
    // Once more, until nothing is left: what was just being started may not have been seen.
    for (let found = this.processes(); found.length > 0; found = this.processes()) {
      for (const { pid } of found) endProcess(pid);
      await delay(20);
    }
  }

  /** Arms the point: the tracking node kills itself when it passes it next. */
  arm(point) {
    writeFileSync(join(this.failpoints, point), "");
  }

  isArmed(point) {
    return existsSync(join(this.failpoints, point));
  }
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
