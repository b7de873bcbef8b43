import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const bin = (name) => fileURLToPath(new URL(`../../packages/cli/bin/${name}.js`, import.meta.url));
const askMs = 1_000;

/** The nodes of a run, each a `halond` in a network namespace of its own. */
export class Nodes {
  #network;
  #directory;
  #tracking;
  #children = [];
  #paused = new Set();
  #agent = new Agent({ keepAlive: false });

  constructor({ network, directory, count, tracking }) {
    this.#network = network;
    this.#directory = directory;
    this.#tracking = tracking;
    this.all = Array.from({ length: count }, (_, at) => at);
  }

  nameOf(at) {
    return `node-${at + 1}`;
  }

  indexOf(name) {
    return Number(name.slice("node-".length)) - 1;
  }

  start(at) {
    if (this.isRunning(at)) return;
    const [program, args] = this.#network.command(at, [
      ...[process.execPath, bin("halond"), "start", "--name", this.nameOf(at)],
      ...["--data-dir", join(this.#directory, this.nameOf(at)), "--log.format", "json"],
      ...["--listen", this.#network.listenOf(at), "--agency-size", String(this.#tracking)],
      ...(at === 0 ? [] : ["--join", this.#network.advertiseOf(0)]),
      ...this.#network.memberArgs,
    ]);
    const log = openSync(join(this.#directory, `${this.nameOf(at)}.log`), "a");
    const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    child.ended = new Promise((resolve) => child.once("exit", resolve));
    this.#children[at] = child;
  }

  isRunning(at) {
    const child = this.#children[at];
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async kill(at) {
    this.#children[at].kill("SIGKILL");
    await this.#children[at].ended;
  }

  /** Resolves when the kernel shows it as stopped. */
  async pause(at) {
    this.#paused.add(at);
    this.#children[at].kill("SIGSTOP");
    while (!/State:\tT/.test(readFileSync(`/proc/${this.#children[at].pid}/status`, "utf8")))
      await delay(1);
  }

  resume(at) {
    this.#paused.delete(at);
    this.#children[at].kill("SIGCONT");
  }

  isPaused(at) {
    return this.#paused.has(at);
  }

  /** What a node answers to a GET; undefined when it does not. */
  get(at, path) {
    const [host, port] = this.#network.listenOf(at).split(":");
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(askMs);
      const outgoing = request({ host, port, path, agent: this.#agent, signal }, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("error", () => resolve(undefined));
        answer.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString()));
          } catch {
            resolve(undefined);
          }
        });
      });
      outgoing.on("error", () => resolve(undefined));
      outgoing.end();
    });
  }

  /** Waits until a node sees all nodes up and all wanted services running; the status, or undefined at the deadline. */
  async whenWhole(deadlineMs) {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      for (const at of this.all) {
        const status = await this.get(at, "/v1/status");
        if (
          status?.nodes?.length === this.all.length &&
          status.nodes.every(({ state }) => state === "up") &&
          status.cluster.leader !== null
        )
          return status;
      }
      if (performance.now() > deadline) return undefined;
      await delay(100);
    }
  }

  /** The node that leads as most say. */
  async leader() {
    for (const at of this.all) {
      const status = await this.get(at, "/v1/status");
      if (status?.cluster?.leader) return this.indexOf(status.cluster.leader);
    }
    return undefined;
  }

  /** Events of a type that were decided since a time in ms of 1970, oldest first. */
  async events(type, since) {
    const query = `type=${type}&since=${encodeURIComponent(new Date(since).toISOString())}&limit=1000`;
    for (const at of this.all) {
      const answer = await this.get(at, `/v1/events?${query}`);
      if (Array.isArray(answer)) return answer;
    }
    return [];
  }

  async apply(cluster, deadlineMs) {
    const file = join(this.#directory, "cluster.json");
    writeFileSync(file, JSON.stringify(cluster, null, 2));
    const endpoint = `http://${this.#network.listenOf(0)}`;
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const child = spawn(
        process.execPath,
        [bin("halonctl"), "apply", "-f", file, "--endpoint", endpoint, "--wait"],
        { stdio: ["ignore", "pipe", "pipe"] },
      );
      let said = "";
      child.stdout.on("data", (text) => {
        said += text;
      });
      child.stderr.on("data", (text) => {
        said += text;
      });
      const code = await new Promise((resolve) => child.once("exit", resolve));
      if (code === 0) return;
      if (performance.now() > deadline) throw new Error(`apply failed: ${said}`);
      await delay(500);
    }
  }

  async abandon() {
    for (const child of this.#children) child?.kill("SIGCONT");
    for (const child of this.#children) child?.kill("SIGTERM");
    await Promise.race([Promise.all(this.#children.map((child) => child?.ended)), delay(10_000)]);
    for (const child of this.#children) child?.kill("SIGKILL");
  }
}
