import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What the instances of exclusive services have written, judged as it comes. */
export class Lines {
  #file;
  #at = 0;
  #rest = "";
  /** By service: the newest token with its first and last line and its writer. */
  #services = new Map();
  #violate;
  count = 0;

  constructor(path, violate) {
    this.#file = openSync(path, "a+");
    this.#violate = violate;
  }

  /** The instance that wrote last: `{ token, node, pid, first, last }`, times in ms of the monotonic clock. */
  newest(service) {
    this.read();
    return this.#services.get(service)?.newest;
  }

  /** Takes in what was written since. */
  read() {
    const size = fstatSync(this.#file).size;
    while (this.#at < size) {
      const chunk = Buffer.alloc(Math.min(1_048_576, size - this.#at));
      const got = readSync(this.#file, chunk, 0, chunk.length, this.#at);
      if (got === 0) return;
      this.#at += got;
      const lines = (this.#rest + chunk.toString("latin1", 0, got)).split("\n");
      this.#rest = lines.pop();
      for (const line of lines) this.#take(line);
    }
  }

  #take(line) {
    const [time, token, service, node, pid] = line.split(" ");
    const entry = { at: Number(time) / 1e6, token: Number(token), node, pid };
    this.count += 1;
    if (!(entry.token > 0)) this.#violate(`${service}: a line without a fencing token: ${line}`);
    const known = this.#services.get(service) ?? { newest: undefined, ended: [] };
    this.#services.set(service, known);
    const { newest } = known;
    if (newest === undefined || entry.token > newest.token) {
      // Lines stand in the order of their writes, their times may be a little older.
      if (newest !== undefined && entry.at < newest.last)
        this.#violate(
          `${service}: token ${entry.token} on ${node} wrote at ${ms(entry.at)}, token ${newest.token} on ${newest.node} until ${ms(newest.last)}`,
        );
      known.newest = { ...entry, first: entry.at, last: entry.at };
    } else if (entry.token < newest.token) {
      if (entry.at >= newest.first)
        this.#violate(
          `${service}: runs twice: token ${entry.token} on ${node} wrote ${ms(entry.at - newest.first)} after token ${newest.token} had begun on ${newest.node}`,
        );
    } else if (entry.pid !== newest.pid || entry.node !== newest.node) {
      this.#violate(
        `${service}: token ${entry.token} belongs to two: ${newest.node}/${newest.pid} and ${node}/${pid}`,
      );
    } else {
      newest.last = Math.max(newest.last, entry.at);
    }
  }

  close() {
    closeSync(this.#file);
  }
}

function ms(value) {
  return `${value.toFixed(1)} ms`;
}

/** Now, by the clock of the lines. */
export function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}
