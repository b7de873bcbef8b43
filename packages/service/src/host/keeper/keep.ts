import { spawn } from "node:child_process";
import { unlinkSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { monotonicMs } from "../monotonic.ts";
import { processesOf } from "../ocf/processes.ts";
import { endGroup, signalGroup } from "../process/group.ts";
import { type ProcessId, readStat } from "../process/proc.ts";
import { findMembers } from "./members.ts";
import { type FromKeeper, keeperSocket, receive, send, type ToKeeper } from "./wire.ts";

/** How late the end of a lease is seen at most, while the machine has time for the keeper. */
const lookMs = 50;
const killAgainMs = 20;
const peersMax = 8;
const lineCharsMax = 16_777_216;

type Start = Extract<ToKeeper, { type: "start" }>;

/** Keeps one program within its lease; the process that runs it ends with it. */
export class Keeper {
  readonly #peers = new Set<Socket>();
  #start: Start | undefined;
  #untilMs = 0;
  #program: ProcessId | undefined;
  #exited: Extract<FromKeeper, { type: "exited" }> | undefined;
  #isKilling = false;
  #isEnding = false;

  /** Takes the way to a `halond`; the first message on the first of them is `start`. */
  join(peer: Socket): void {
    if (this.#peers.size >= peersMax) {
      peer.destroy();
      return;
    }
    this.#peers.add(peer);
    receive<ToKeeper>(peer, lineCharsMax, (message) => this.#take(message));
    peer.on("close", () => {
      this.#peers.delete(peer);
      if (this.#start === undefined) process.exit(1);
      this.#endGroupAlone();
    });
    if (this.#program !== undefined) send(peer, { type: "running", ...this.#program });
    if (this.#exited !== undefined) send(peer, this.#exited);
  }

  /** Kills the instance with all that is left of it, and ends this process. */
  end(): void {
    if (this.#isKilling) return;
    this.#isKilling = true;
    this.#killUntilGone();
  }

  #take(message: ToKeeper): void {
    switch (message.type) {
      case "start":
        if (this.#start === undefined) this.#begin(message);
        return;
      case "renew":
        // A lease that is over stays over: others may run by now.
        if (this.#isOver()) this.#expire();
        else this.#untilMs = Math.max(this.#untilMs, message.untilMs);
        return;
      case "end":
        this.end();
        return;
    }
  }

  #begin(start: Start): void {
    this.#start = start;
    this.#untilMs = start.untilMs;
    if (this.#isOver()) {
      this.#expire();
      return;
    }
    this.#look();
    this.#listen();
    if (start.command === null) return;
    try {
      this.#spawn(start.command, start.env);
    } catch (error) {
      this.#fail(error as NodeJS.ErrnoException);
    }
  }

  #spawn([program, ...args]: readonly [string, ...string[]], env: Start["env"]): void {
    const child = spawn(program, args, {
      env: { ...env },
      detached: true,
      stdio: ["ignore", 1, 2],
    });
    child.once("error", (error) => this.#fail(error));
    child.once("exit", (code, signal) => this.#programExited({ type: "exited", code, signal }));
    if (child.pid === undefined) return;
    // Not reaped before this turn is over, so it is there even when it has already ended.
    const startTime = readStat(child.pid)?.startTime ?? 0;
    this.#program = { pid: child.pid, startTime };
    this.#tell({ type: "running", pid: child.pid, startTime });
  }

  #fail({ code = "", message }: NodeJS.ErrnoException): void {
    this.#tell({ type: "failed", code, reason: message });
    this.end();
  }

  /** For a `halond` that comes later; without the socket the instance ends with the lease of this one. */
  #listen(): void {
    try {
      unlinkSync(keeperSocket);
    } catch {
      // There was none.
    }
    const server = createServer((peer) => this.join(peer));
    server.on("error", (error) => {
      process.stderr.write(`[halon] no later halond can keep this instance: ${error.message}\n`);
    });
    server.listen(keeperSocket);
  }

  /** Wakes often, as a timer that was set long before may be late after a pause of this process. */
  #look(): void {
    if (this.#isOver()) {
      this.#expire();
      return;
    }
    const leftMs = Math.max(1, this.#untilMs - monotonicMs());
    setTimeout(() => this.#look(), Math.min(lookMs, leftMs));
  }

  #isOver(): boolean {
    return monotonicMs() >= this.#untilMs;
  }

  #expire(): void {
    if (this.#isKilling) return;
    // The kill first: to tell may take time.
    if (this.#program !== undefined) signalGroup(this.#program, "SIGKILL");
    this.#tell({ type: "expired" });
    this.end();
  }

  #programExited(exited: Extract<FromKeeper, { type: "exited" }>): void {
    this.#exited = exited;
    this.#tell(exited);
    this.#endGroupAlone();
  }

  /** While a `halond` is there, it ends the rest of the group. */
  #endGroupAlone(): void {
    if (this.#program === undefined || this.#exited === undefined) return;
    if (this.#peers.size > 0 || this.#isEnding || this.#isKilling) return;
    this.#isEnding = true;
    endGroup(this.#program, () => this.end());
  }

  #killUntilGone(): void {
    if (this.#program !== undefined) signalGroup(this.#program, "SIGKILL");
    const left = this.#findLeft();
    for (const { pid } of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    // Also when it cannot be killed now: what hangs in the kernel ends as soon as that lets it.
    if (left.length > 0) setTimeout(() => this.#killUntilGone(), killAgainMs);
    else this.#leave();
  }

  #findLeft(): readonly ProcessId[] {
    const { resource } = this.#start ?? {};
    if (resource !== undefined) return processesOf(resource);
    return this.#start === undefined ? [] : findMembers(this.#start, this.#program);
  }

  #leave(): void {
    for (const peer of this.#peers) peer.end();
    // What was told last is out: a socket of this machine takes it at once.
    setImmediate(() => process.exit(0));
  }

  #tell(message: FromKeeper): void {
    for (const peer of this.#peers) send(peer, message);
  }
}
