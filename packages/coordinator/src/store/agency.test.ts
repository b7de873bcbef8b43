import { MessageChannel } from "node:worker_threads";
import { type HostAppended, type HostLog, type HostLogStatus, serveHostLog } from "@halon/agency";
import { HalonError } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { openAgencyEngine } from "./agency.ts";
import type { Engine } from "./engine.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A member that leads as it is told, and answers appends with what is laid out for them. */
class OneMember implements HostLog {
  status: HostLogStatus = {
    leading: null,
    owner: null,
    firstPosition: 1,
    lastPosition: 0,
    installs: 0,
  };
  readonly answers: (() => Promise<HostAppended>)[] = [];
  readonly #listeners = new Set<(status: HostLogStatus) => void>();

  change(change: Partial<HostLogStatus>): void {
    this.status = { ...this.status, ...change };
    for (const listener of this.#listeners) listener(this.status);
  }

  onStatus(listener: (status: HostLogStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onCommit(): () => void {
    return () => undefined;
  }

  append(): Promise<HostAppended> {
    return this.answers.shift()?.() ?? Promise.resolve({ type: "conflict" });
  }

  async confirm(epoch: number): Promise<boolean> {
    return this.status.leading?.epoch === epoch;
  }

  read(): readonly [] {
    return [];
  }

  async saveSnapshot(): Promise<void> {}

  async loadSnapshot(): Promise<undefined> {}

  campaign(): void {}
}

async function open(): Promise<{ member: OneMember; engine: Engine; end: () => void }> {
  const member = new OneMember();
  const { port1, port2 } = new MessageChannel();
  const served = serveHostLog(member, port1);
  cleanUps.push(() => served.close());
  return { member, engine: await openAgencyEngine(port2), end: () => served.close() };
}

const lostOf = (engine: Engine): Promise<string> =>
  new Promise((resolve) => engine.onLost(resolve));
const busy = (): Promise<never> => Promise.reject(new HalonError("HAL_TOO_MANY", "handing over"));
const one = new Uint8Array(1);

test("the epoch is the term in which the member leads, and 0 before", async () => {
  const { member, engine } = await open();
  const leads = engine.lead();
  expect(engine.epoch).toBe(0);
  member.change({ leading: { epoch: 4, position: 0 } });
  await leads;
  expect(engine.epoch).toBe(4);
});

test.each([
  { name: "the member leads no more", leading: null },
  { name: "it leads in another term", leading: { epoch: 5, position: 0 } },
])("ownership is lost once when $name", async ({ leading }) => {
  const { member, engine } = await open();
  member.change({ leading: { epoch: 4, position: 0 } });
  await engine.lead();
  let count = 0;
  engine.onLost(() => {
    count += 1;
  });
  const lost = lostOf(engine);
  member.change({ leading });
  await lost;
  member.change({ leading: { epoch: 9, position: 0 } });
  await engine.read(1);
  expect(count).toBe(1);
  // Whoever asks late hears of it too.
  await lostOf(engine);
  expect(engine.epoch).toBe(4);
  expect(await engine.append(one, { position: 1, epoch: 4 })).toMatchObject({ type: "fenced" });
});

test("ownership is lost when the member ends; before it leads, lead rejects", async () => {
  const { member, engine, end } = await open();
  member.change({ leading: { epoch: 4, position: 0 } });
  await engine.lead();
  const lost = lostOf(engine);
  end();
  expect(await lost).toContain("has ended");

  const other = await open();
  const leads = other.engine.lead();
  other.end();
  await expect(leads).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
});

test("what consensus does not take just now is offered again", async () => {
  const { member, engine } = await open();
  member.change({ leading: { epoch: 4, position: 0 } });
  await engine.lead();
  member.answers.push(busy, busy, () => Promise.resolve({ type: "committed" }));
  expect(await engine.append(one, { position: 1, epoch: 4 })).toEqual({ type: "committed" });
  expect(member.answers).toHaveLength(0);
});

test("it is offered no more when leadership has gone", async () => {
  const { member, engine } = await open();
  member.change({ leading: { epoch: 4, position: 0 } });
  await engine.lead();
  member.answers.push(() => {
    member.change({ leading: null });
    return busy();
  });
  expect(await engine.append(one, { position: 1, epoch: 4 })).toMatchObject({ type: "fenced" });
});

test("the owner is told when it changes, and only then", async () => {
  const { member, engine } = await open();
  const seen: (string | null)[] = [];
  engine.onOwner(() => seen.push(engine.owner));
  for (const owner of ["127.0.0.1:1", "127.0.0.1:2"]) {
    member.change({ owner });
    await engine.read(1);
    member.change({ firstPosition: member.status.firstPosition + 1 });
    await engine.read(1);
  }
  expect(seen).toEqual(["127.0.0.1:1", "127.0.0.1:2"]);
  expect(engine.firstPosition).toBe(3);
});
