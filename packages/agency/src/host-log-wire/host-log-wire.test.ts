import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { HalonError } from "@halon/protocol";
import { afterEach, describe, expect, test } from "vitest";
import type { HostAppended, HostLog, HostLogStatus, HostSlot } from "../host-log.ts";
import { connectHostLog, type HostLogClient } from "./client.ts";
import { serveHostLog } from "./server.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** The log of a member that leads or not as it is told. */
class TestLog implements HostLog {
  status: HostLogStatus = {
    leading: null,
    owner: null,
    firstPosition: 1,
    lastPosition: 0,
    installs: 0,
  };
  slots: HostSlot[] = [];
  campaigns = 0;
  snapshot: { position: number; chunks: Uint8Array[] } | undefined;
  /** What an append waits for; it is answered at once while there is none. */
  held: { resolve: (appended: HostAppended) => void; reject: (error: Error) => void }[] | undefined;
  readonly #onStatus = new Set<(status: HostLogStatus) => void>();
  readonly #onCommit = new Set<() => void>();

  onStatus(listener: (status: HostLogStatus) => void): () => void {
    this.#onStatus.add(listener);
    return () => this.#onStatus.delete(listener);
  }

  onCommit(listener: () => void): () => void {
    this.#onCommit.add(listener);
    return () => this.#onCommit.delete(listener);
  }

  change(change: Partial<HostLogStatus>): void {
    this.status = { ...this.status, ...change };
    for (const listener of this.#onStatus) listener(this.status);
  }

  leads(epoch: number): void {
    this.change({ leading: { epoch, position: this.status.lastPosition } });
  }

  async confirm(epoch: number): Promise<boolean> {
    return this.status.leading?.epoch === epoch;
  }

  commit(data: Uint8Array, epoch = 1): void {
    const position = this.status.lastPosition + 1;
    this.slots.push({ position, epoch, data });
    this.status = { ...this.status, lastPosition: position };
    for (const listener of this.#onCommit) listener();
  }

  append(data: Uint8Array, { epoch }: { position: number; epoch: number }): Promise<HostAppended> {
    if (this.status.leading?.epoch !== epoch) {
      return Promise.resolve({ type: "fenced", epoch: this.status.leading?.epoch ?? 0 });
    }
    const { held } = this;
    if (held !== undefined) {
      return new Promise((resolve, reject) => held.push({ resolve, reject }));
    }
    this.commit(data, epoch);
    return Promise.resolve({ type: "committed" });
  }

  read(from: number): readonly HostSlot[] {
    return this.slots.slice(from - this.status.firstPosition, from - this.status.firstPosition + 3);
  }

  async saveSnapshot(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const kept: Uint8Array[] = [];
    for await (const chunk of chunks) kept.push(chunk);
    this.snapshot = { position, chunks: kept };
    this.slots = this.slots.filter((slot) => slot.position > position);
    this.change({ firstPosition: position + 1 });
  }

  async loadSnapshot(): ReturnType<HostLog["loadSnapshot"]> {
    const { snapshot } = this;
    return snapshot && { position: snapshot.position, chunks: iterate(snapshot.chunks) };
  }

  campaign(): void {
    this.campaigns += 1;
  }
}

async function* iterate<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

async function connect(log: HostLog): Promise<{ client: HostLogClient; close: () => void }> {
  const { port1, port2 } = new MessageChannel();
  const server = serveHostLog(log, port1);
  cleanUps.push(() => server.close());
  const client = await connectHostLog(port2);
  return { client, close: () => server.close() };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (data: Uint8Array): string => Buffer.from(data).toString("utf8");
const commitOf = (client: HostLogClient): Promise<void> =>
  new Promise((resolve) => {
    const stop = client.onCommit(() => {
      stop();
      resolve();
    });
  });
const statusOf = (client: HostLogClient): Promise<HostLogStatus> =>
  new Promise((resolve) => {
    const stop = client.onStatus((status) => {
      stop();
      resolve(status);
    });
  });

describe("leadership", () => {
  test("a client leads as soon as the member does, and knows of it then", async () => {
    const log = new TestLog();
    const { client } = await connect(log);
    const leads = client.lead();
    log.leads(7);
    expect(await leads).toBe(7);
    expect(client.status.leading?.epoch).toBe(7);
  });

  test("a term that an earlier client has owned is stepped out of, once", async () => {
    const log = new TestLog();
    log.leads(3);
    const first = await connect(log);
    await first.client.lead();
    first.close();
    const { client } = await connect(log);
    const leads = client.lead();
    // The answer to a question comes after what came before it.
    await client.read(1);
    expect(log.campaigns).toBe(1);
    log.change({ leading: null });
    log.leads(4);
    expect(await leads).toBe(4);
    expect(log.campaigns).toBe(1);
  });

  test("a term that an earlier client only followed is owned without an election", async () => {
    const log = new TestLog();
    const first = await connect(log);
    log.leads(3);
    first.close();
    const { client } = await connect(log);
    expect(await client.lead()).toBe(3);
    expect(log.campaigns).toBe(0);
  });

  test("the end of leadership is heard of", async () => {
    const log = new TestLog();
    log.leads(2);
    const { client } = await connect(log);
    await client.lead();
    const heard = statusOf(client);
    log.change({ leading: null, owner: "127.0.0.1:1" });
    expect(await heard).toMatchObject({ leading: null, owner: "127.0.0.1:1" });
  });
});

describe("slots", () => {
  test("an append is answered, and what was appended can be read", async () => {
    const log = new TestLog();
    log.leads(2);
    const { client } = await connect(log);
    const large = Buffer.from("all around it").subarray(4, 10);
    expect(await client.append(large, { position: 1, epoch: 2 })).toEqual({ type: "committed" });
    expect(log.slots.map(({ data }) => text(data))).toEqual(["around"]);
    expect(await client.read(1)).toEqual([{ position: 1, epoch: 2, data: large }]);
    expect(await client.append(bytes("b"), { position: 2, epoch: 1 })).toEqual({
      type: "fenced",
      epoch: 2,
    });
    // The caller's bytes are still its own.
    expect(text(large)).toBe("around");
  });

  test("listeners hear of a commit before its append resolves, and can read it then", async () => {
    const log = new TestLog();
    log.leads(1);
    const { client } = await connect(log);
    const seen: string[] = [];
    client.onCommit(() => {
      seen.push("commit");
      void client.read(1).then(([slot]) => seen.push(text(slot?.data ?? bytes("none"))));
    });
    await client.append(bytes("a"), { position: 1, epoch: 1 });
    await client.read(9);
    expect(seen).toEqual(["commit", "a"]);
  });

  test("an error of the log keeps its code", async () => {
    const log = new TestLog();
    log.leads(1);
    log.held = [];
    const { client } = await connect(log);
    const appended = client.append(bytes("a"), { position: 1, epoch: 1 });
    await client.read(1);
    log.held[0]?.reject(new HalonError("HAL_TOO_MANY", "handing over"));
    await expect(appended).rejects.toMatchObject({ code: "HAL_TOO_MANY", message: "handing over" });
  });

  test("pages come with the bytes of each slot alone, and none from before the first", async () => {
    const log = new TestLog();
    for (const one of ["a", "", "ccc", "d"]) log.commit(bytes(one));
    const { client } = await connect(log);
    const page = await client.read(1);
    expect(page.map(({ data }) => text(data))).toEqual(["a", "", "ccc"]);
    expect(page.map(({ data }) => data.buffer.byteLength)).toEqual([1, 0, 3]);
    expect((await client.read(4)).map(({ position }) => position)).toEqual([4]);
    log.slots.splice(0, 2);
    log.change({ firstPosition: 3 });
    expect(await client.read(2)).toEqual([]);
    expect(client.status.firstPosition).toBe(3);
  });

  test("however many commits, one notice is on its way, and the last one is told", async () => {
    const log = new TestLog();
    const { client } = await connect(log);
    let notices = 0;
    client.onCommit(() => {
      notices += 1;
    });
    for (let at = 0; at < 1_000; at++) log.commit(bytes("x"));
    while (client.status.lastPosition < 1_000) await commitOf(client);
    expect(notices).toBeLessThanOrEqual(2);
  });

  test("a snapshot from elsewhere is a commit, too", async () => {
    const log = new TestLog();
    const { client } = await connect(log);
    const heard = commitOf(client);
    log.change({ installs: 1, firstPosition: 10, lastPosition: 9 });
    await heard;
    expect(client.status).toMatchObject({ installs: 1, firstPosition: 10 });
  });
});

describe("snapshots", () => {
  test("chunks are asked for one by one, and come back as they were", async () => {
    const log = new TestLog();
    for (const one of ["a", "b", "c"]) log.commit(bytes(one));
    const { client } = await connect(log);
    expect(await client.loadSnapshot()).toBeUndefined();
    await client.saveSnapshot(2, iterate([bytes("state "), bytes(""), bytes("of two")]));
    expect(log.snapshot?.chunks.map(text)).toEqual(["state ", "", "of two"]);
    expect(client.status.firstPosition).toBe(3);
    const loaded = await client.loadSnapshot();
    expect(loaded?.position).toBe(2);
    const chunks: string[] = [];
    for await (const chunk of loaded?.chunks ?? []) chunks.push(text(chunk));
    expect(chunks).toEqual(["state ", "", "of two"]);
  });

  test("a source that fails fails the snapshot, with its own error, and none is kept", async () => {
    const log = new TestLog();
    log.commit(bytes("a"));
    const { client } = await connect(log);
    const source = (async function* () {
      yield bytes("half");
      throw new RangeError("no more");
    })();
    await expect(client.saveSnapshot(1, source)).rejects.toThrow(RangeError);
    await client.read(1);
    expect(log.snapshot).toBeUndefined();
  });

  test("of snapshots loaded and not read, the oldest is released", async () => {
    const log = new TestLog();
    log.snapshot = { position: 0, chunks: [bytes("a")] };
    const { client } = await connect(log);
    const loaded = await client.loadSnapshot();
    for (let at = 0; at < 4; at++) await client.loadSnapshot();
    const chunks = loaded?.chunks[Symbol.asyncIterator]();
    await expect(chunks?.next()).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });
});

describe("the end", () => {
  test("all that waits is rejected when the port closes, and all that comes later", async () => {
    const log = new TestLog();
    log.leads(1);
    log.held = [];
    const { client, close } = await connect(log);
    const first = await connect(log);
    await first.client.lead();
    const waiting = [
      client.lead(),
      client.append(bytes("a"), { position: 1, epoch: 1 }),
      client.saveSnapshot(0, never()),
    ];
    const ended = new Promise<void>((resolve) => client.onEnd(resolve));
    await client.read(1);
    close();
    await ended;
    for (const one of waiting) {
      await expect(one).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    }
    await expect(client.read(1)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });

  test("a client that goes cuts the snapshot that it was saving", async () => {
    const log = new TestLog();
    const { client } = await connect(log);
    const saved = client.saveSnapshot(0, never());
    client.close();
    await expect(saved).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    expect(log.snapshot).toBeUndefined();
  });

  test("a port whose other end is closed before anything was said connects to nobody", async () => {
    const { port1, port2 } = new MessageChannel();
    port1.close();
    await expect(connectHostLog(port2)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });

  test("so does one whose end was over before anybody listened", async () => {
    const { port1, port2 } = new MessageChannel();
    const closed = once(port2, "close");
    port1.close();
    await closed;
    await expect(connectHostLog(port2)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
  });
});

async function* never(): AsyncGenerator<Uint8Array> {
  await new Promise(() => undefined);
  yield bytes("");
}
