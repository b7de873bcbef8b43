import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Asker } from "./request.mjs";

const halond = fileURLToPath(new URL("../../packages/cli/bin/halond.js", import.meta.url));
const pollMs = 50;
const signalMs = 2_000;

/** The members of a run: real processes, each started again with the same command after it was killed. */
export class Members {
  #network;
  #directory;
  #violate;
  #processes = [];
  #asker = new Asker();
  #isClosed = false;

  constructor({ network, directory, count, violate }) {
    this.#network = network;
    this.#directory = directory;
    this.#violate = violate;
    this.all = Array.from({ length: count }, (_, at) => at);
  }

  start(at) {
    if (this.#isClosed) return;
    const network = this.#network;
    const joins = this.all
      .filter((other) => other !== at)
      .flatMap((other) => ["--join", network.advertiseOf(other)]);
    const [program, args] = network.command(at, [
      ...[process.execPath, halond, "agency", "--data-dir", join(this.#directory, `member-${at}`)],
      ...["--listen", network.listenOf(at), "--advertise", network.advertiseOf(at)],
      // Snapshots every few seconds, so that members that were away are sent some.
      ...["--compaction.step", "200", "--compaction.keep", "200", "--compaction.bytes", "20000"],
      ...["--agency-size", String(this.all.length), ...joins, ...network.memberArgs],
    ]);
    const log = openSync(join(this.#directory, `member-${at}.log`), "a");
    // A session of its own: Ctrl-C is for the harness, which ends its members itself.
    const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    const started = { child, isExpectedToEnd: false };
    started.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        if (!started.isExpectedToEnd)
          this.#violate(`member ${at} ended by itself: ${signal ?? code}; see member-${at}.log`);
        resolve({ code, signal });
      });
    });
    this.#processes[at] = started;
  }

  pidOf(at) {
    return this.#processes[at]?.child.pid;
  }

  isRunning(at) {
    const child = this.#processes[at]?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Kills a member; true when the kernel says that it died of that. */
  async kill(at) {
    const { child, exited } = this.#processes[at];
    this.#processes[at].isExpectedToEnd = true;
    child.kill("SIGKILL");
    return (await exited).signal === "SIGKILL";
  }

  /** Stops a member's process in its tracks; true when the kernel shows it as stopped. */
  async pause(at) {
    this.#processes[at].child.kill("SIGSTOP");
    return until(() => this.isPaused(at));
  }

  /** Lets it go on; true when the kernel shows it as going on. */
  async resume(at) {
    this.#processes[at].child.kill("SIGCONT");
    return until(() => !this.isPaused(at));
  }

  isPaused(at) {
    return stateOf(this.pidOf(at)) === "T";
  }

  /** What a member says of itself, or undefined. */
  async configOf(at) {
    return this.#json(at, "/_api/agency/config");
  }

  /** What a member has committed, or undefined. */
  async treeOf(at) {
    return (await this.#json(at, "/_api/agency/stores"))?.read_db?.[0];
  }

  async #json(at, path) {
    const { status, text } = await this.#asker.ask(this.#network.listenOf(at), path);
    return status === 200 ? JSON.parse(text) : undefined;
  }

  /** The member that says that it leads, in the highest term; with that term. */
  async leader() {
    const running = this.all.filter((at) => this.isRunning(at) && !this.isPaused(at));
    const configs = await Promise.all(
      running.map(async (at) => ({ at, config: await this.configOf(at) })),
    );
    const [leader] = configs
      .filter(({ config }) => config?.leaderId && config.leaderId === config.configuration?.id)
      .sort((a, b) => b.config.term - a.config.term);
    return leader && { at: leader.at, term: leader.config.term };
  }

  /** Waits until all members follow one leader and have committed the same. */
  async settle(deadlineMs) {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const configs = await Promise.all(this.all.map((at) => this.configOf(at)));
      const views = configs.map((config) => `${config?.leaderId} ${config?.commitIndex}`);
      if (configs[0]?.leaderId && views.every((view) => view === views[0])) return;
      if (performance.now() > deadline)
        throw new Error(`the members do not agree in ${deadlineMs} ms: ${views.join(", ")}`);
      await delay(pollMs);
    }
  }

  /** Leaves no member behind, whatever state it is in. */
  async abandon() {
    this.#isClosed = true;
    await Promise.all(this.all.filter((at) => this.isRunning(at)).map((at) => this.kill(at)));
    this.#asker.close();
  }
}

/** The state of a process as the kernel tells it: R, S, T … */
function stateOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  } catch {
    return undefined;
  }
}

async function until(holds) {
  const deadline = performance.now() + signalMs;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await delay(5);
  }
  return true;
}
