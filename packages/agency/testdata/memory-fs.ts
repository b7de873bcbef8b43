import { basename, dirname } from "node:path";
import type { LogFile, LogFs } from "../src/log-fs.ts";

/** A disk overwrites a sector as a whole or not at all; a file that grows may end anywhere. */
const sectorBytes = 512;

interface Inode {
  current: Buffer;
  durable: Buffer;
}

/**
 * What happens at one call: the machine loses power, or the disk refuses, in both cases half-way. A full disk refuses
 * from that call on, and only what makes a file longer.
 */
export interface Fault {
  readonly type: "crash" | "refuse" | "full";
  /** The call, counted from 1, at which it happens. */
  readonly atCall: number;
}

/**
 * A disk in memory that keeps apart what is written and what is durable.
 *
 * `afterCrash` is the disk that is found after a loss of power: of all that was not synced, any sector and any
 * name may be there or not.
 */
export class MemoryFs implements LogFs {
  calls = 0;
  /** Calls of `datasync` after the fault; there must be none. Zeros are nothing to lose: refusing them counts not. */
  syncsAfterFault = 0;
  faulted = false;
  fault: Fault | undefined;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();

  /** Bytes of a file, to look at and to change; they count as durable. */
  content(path: string): Buffer {
    return this.#inode(path).current;
  }

  set(path: string, content: Buffer): void {
    const inode = { current: content, durable: content };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  remove(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  paths(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  /** `pick(n)` answers a whole number from 0 to n - 1. */
  afterCrash(pick: (n: number) => number): MemoryFs {
    const found = new MemoryFs();
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const inode = (pick(2) === 0 ? this.#names : this.#durableNames).get(path);
      if (inode !== undefined) found.set(path, tear(inode, pick));
    }
    return found;
  }

  async mkdir(): Promise<void> {
    this.#call();
  }

  async readdir(path: string): Promise<readonly string[]> {
    this.#call();
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((x) => basename(x));
  }

  async size(path: string): Promise<number> {
    this.#call();
    return this.#inode(path).current.length;
  }

  async open(path: string, mode: "create" | "edit"): Promise<LogFile> {
    this.#call();
    if (mode === "create") {
      if (this.#names.has(path)) throw diskError("EEXIST", path);
      this.#names.set(path, { current: Buffer.alloc(0), durable: Buffer.alloc(0) });
    }
    return this.#file(this.#inode(path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call();
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  }

  async unlink(path: string): Promise<void> {
    this.#call();
    this.#inode(path);
    this.#names.delete(path);
  }

  async syncDir(): Promise<void> {
    this.#call();
    this.#durableNames = new Map(this.#names);
  }

  #file(inode: Inode): LogFile {
    const write = (data: Uint8Array, position: number): void => {
      const growth = position + data.length - inode.current.length;
      // What overwrites goes by whole sectors, also when the rest of the same write makes the file longer.
      const half = data.length >> 1;
      const done = position + half > inode.current.length ? half : sectorsIn(position, half);
      this.#call(() => put(inode, data.subarray(0, done), position), { data, growth });
      put(inode, data, position);
    };
    const datasync = (): void => {
      if (this.faulted) this.syncsAfterFault += 1;
      this.#call();
      inode.durable = Buffer.from(inode.current);
    };
    return {
      writeSync: write,
      datasyncSync: datasync,
      write: async (data, position) => write(data, position),
      datasync: async () => datasync(),
      read: async (position, length) => {
        this.#call();
        return inode.current.subarray(position, position + length);
      },
      truncate: async (length) => {
        this.#call();
        inode.current = Buffer.from(inode.current.subarray(0, length));
        inode.durable = Buffer.from(inode.current);
      },
      close: () => Promise.resolve(),
    };
  }

  #call(partly?: () => void, write?: { readonly data: Uint8Array; readonly growth: number }): void {
    this.calls += 1;
    if (this.fault === undefined) return;
    if (this.fault.type === "full") {
      if (write === undefined || write.growth <= 0 || this.calls < this.fault.atCall) return;
      this.faulted ||= write.data.some((byte) => byte !== 0);
      partly?.();
      throw diskError("ENOSPC", "injected");
    }
    if (this.faulted && this.fault.type === "crash") throw diskError("EIO", "after the crash");
    if (this.calls !== this.fault.atCall) return;
    this.faulted = true;
    partly?.();
    throw diskError("EIO", "injected");
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw diskError("ENOENT", path);
    return inode;
  }
}

/** How much of `length` bytes from `position` is written when the last sector of them is not. */
function sectorsIn(position: number, length: number): number {
  return Math.max(0, length - ((position + length) % sectorBytes));
}

function put(inode: Inode, data: Uint8Array, position: number): void {
  const end = position + data.length;
  const next = Buffer.alloc(Math.max(end, inode.current.length));
  next.set(inode.current);
  next.set(data, position);
  inode.current = next;
}

function tear({ current, durable }: Inode, pick: (n: number) => number): Buffer {
  const extra = Math.max(0, current.length - durable.length);
  const found = Buffer.alloc(durable.length + (pick(2) === 0 ? extra : pick(extra + 1)));
  found.set(durable.subarray(0, found.length));
  const lossy = pick(3) > 0;
  for (let start = 0; start < found.length; start += sectorBytes) {
    const isLost = lossy && pick(2) === 0;
    if (!isLost)
      found.set(current.subarray(start, Math.min(start + sectorBytes, found.length)), start);
  }
  return found;
}

function diskError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code, syscall: "test" });
}
