import { createWriteStream } from "node:fs";

/** What all clients did, in memory and as one line of JSON each in a file. Times are in ns since the run began. */
export class History {
  operations = [];
  longestOutageMs = 0;
  #file;
  #base = process.hrtime.bigint();
  #lastOkAt;

  constructor(path) {
    this.#file = createWriteStream(path);
  }

  now() {
    return Number(process.hrtime.bigint() - this.#base);
  }

  add(operation) {
    const numbered = { id: `o${this.operations.length}`, ...operation };
    this.operations.push(numbered);
    this.#file.write(`${JSON.stringify(numbered)}\n`);
    if (operation.outcome !== "ok" && operation.outcome !== "failed") return;
    const sinceMs = (operation.end - (this.#lastOkAt ?? operation.end)) / 1e6;
    this.longestOutageMs = Math.max(this.longestOutageMs, sinceMs);
    this.#lastOkAt = operation.end;
  }

  async close() {
    await new Promise((resolve) => this.#file.end(resolve));
  }
}
