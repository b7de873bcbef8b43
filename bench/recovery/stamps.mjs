// Stamps that processes append to one file: `<monotonic ns> <name> <pid>` a line.
import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 10;

/** Reads what is appended; nothing is ever missed, and nothing is woken by it. */
export class Stamps {
  #file;
  #position = 0;
  #rest = "";
  #buffer = Buffer.alloc(65_536);
  /** By name: every stamp so far, in ns. */
  #all = new Map();
  #pids = new Map();

  constructor(path) {
    closeSync(openSync(path, "a"));
    this.#file = openSync(path, "r");
    this.path = path;
  }

  /** Every stamp of this name. */
  of(name) {
    this.#read();
    return this.#all.get(name) ?? [];
  }

  /** Process id of the last stamp of this name. */
  pid(name) {
    this.#read();
    return this.#pids.get(name);
  }

  /** The first stamp of this name after `ns`. */
  async after(name, ns, deadlineMs) {
    const until = performance.now() + deadlineMs;
    for (;;) {
      const found = this.of(name).find((at) => at > ns);
      if (found !== undefined) return found;
      if (performance.now() > until) throw new Error(`${name} was not there in ${deadlineMs} ms`);
      await sleep(pollMs);
    }
  }

  #read() {
    for (;;) {
      const count = readSync(this.#file, this.#buffer, 0, this.#buffer.length, this.#position);
      if (count === 0) return;
      this.#position += count;
      const lines = (this.#rest + this.#buffer.toString("latin1", 0, count)).split("\n");
      this.#rest = lines.pop();
      for (const line of lines) this.#take(line.split(" "));
    }
  }

  #take([ns, name, pid]) {
    if (!this.#all.has(name)) this.#all.set(name, []);
    this.#all.get(name).push(BigInt(ns));
    this.#pids.set(name, Number(pid));
  }
}
