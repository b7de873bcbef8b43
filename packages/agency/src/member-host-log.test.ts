import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { HostLog } from "./host-log.ts";
import { rebuild } from "./offline.ts";
import { openLog } from "./open-log.ts";
import {
  deadlineMs,
  leaderOf,
  startAgency,
  startTestMember,
  type TestMember,
  type TestOptions,
  until,
  write,
} from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, deadlineMs);

const limit = { timeout: 4 * deadlineMs };
const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const dataOf = (position: number): Uint8Array => Buffer.from(`record ${position}`);
/** Not of one size, and with bytes that no text has. */
const hostState = (seed: number): readonly Buffer[] =>
  [5, 1, 70_000, 300_000].map((length, at) => Buffer.alloc(length, seed + at * 17 + 200));

async function* chunksOf(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

/** Length and hash of each chunk: equal when they are equal byte for byte. */
const printsOf = (parts: readonly Uint8Array[]): readonly string[] =>
  parts.map((part) => `${part.length} ${createHash("sha256").update(part).digest("hex")}`);

async function allOf(chunks: AsyncIterable<Uint8Array> | undefined): Promise<readonly Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks ?? []) all.push(Buffer.from(chunk));
  return all;
}

async function printsOfState(log: HostLog): Promise<readonly string[]> {
  return printsOf(await allOf((await log.loadSnapshot())?.chunks));
}

async function one(options: TestOptions = {}): Promise<TestMember> {
  const [member] = await startAgency(cleanUps, 1, options);
  if (member === undefined) throw new Error("no member");
  return member;
}

async function restart(member: TestMember, options: TestOptions = {}): Promise<TestMember> {
  await member.kill();
  const port = Number(member.address.split(":")[1]);
  const again = await startTestMember(member.dataDir, { port, ...options });
  cleanUps.push(() => again.close());
  return again;
}

function leading({ member: { hostLog } }: TestMember): Promise<{ readonly epoch: number }> {
  return until("a leader of the host's log", () => hostLog.status.leading);
}

/** Appends up to `last`, each after the one before. */
async function fill(of: TestMember, last: number): Promise<void> {
  const { hostLog } = of.member;
  const { epoch } = await leading(of);
  for (let position = hostLog.status.lastPosition + 1; position <= last; position++) {
    const appended = await hostLog.append(dataOf(position), { position, epoch });
    expect(appended).toEqual({ type: "committed" });
  }
}

const textsOf = (log: HostLog): readonly string[] =>
  log
    .read(1)
    .map(({ position, epoch, data }) => `${position}/${epoch} ${Buffer.from(data).toString()}`);

const positions = (log: HostLog, from: number): readonly number[] =>
  log.read(from).map(({ position }) => position);

describe("of one member, the host's log", () => {
  test("is there again after a restart, with its epochs, under a new one", limit, async () => {
    const first = await one();
    await fill(first, 3);
    const { epoch } = await leading(first);
    const before = [1, 2, 3].map((position) => `${position}/${epoch} record ${position}`);
    expect(textsOf(first.member.hostLog)).toEqual(before);
    const second = await restart(first);
    const leads = await leading(second);
    expect(leads).toEqual({ epoch: epoch + 1, position: 3 });
    expect(textsOf(second.member.hostLog)).toEqual(before);
    expect(second.member.hostLog.status).toMatchObject({
      owner: second.address,
      firstPosition: 1,
      lastPosition: 3,
      installs: 0,
    });
  });

  test("answers what is fenced, in conflict or too large", limit, async () => {
    const { member } = await one();
    await until("a leader", () => member.hostLog.status.leading);
    const epoch = member.hostLog.status.leading?.epoch ?? 0;
    const append = (position: number, under: number) =>
      member.hostLog.append(dataOf(position), { position, epoch: under });
    expect(await append(1, epoch + 1)).toEqual({ type: "fenced", epoch });
    expect(await append(2, epoch)).toEqual({ type: "conflict" });
    const large = new Uint8Array(1024 * 1024 + 65);
    await expect(member.hostLog.append(large, { position: 1, epoch })).rejects.toMatchObject({
      code: "HAL_TOO_LARGE",
    });
    const largest = large.subarray(1);
    expect(await member.hostLog.append(largest, { position: 1, epoch })).toEqual({
      type: "committed",
    });
  });

  test("tells a commit before its append is answered, in the same turn", limit, async () => {
    const alone = await one();
    const { epoch } = await leading(alone);
    const { hostLog } = alone.member;
    const seen: string[] = [];
    const off = hostLog.onCommit(() => {
      seen.push(`commit ${hostLog.status.lastPosition}`);
      setImmediate(() => seen.push("next turn"));
    });
    await hostLog.append(dataOf(1), { position: 1, epoch });
    seen.push("answer");
    off();
    expect(seen).toEqual(["commit 1", "answer"]);
    await hostLog.append(dataOf(2), { position: 2, epoch });
    expect(seen).not.toContain("commit 2");
  });

  test("steps into a new term when asked, and fences the epoch before", limit, async () => {
    const alone = await one();
    await fill(alone, 1);
    const { hostLog } = alone.member;
    const { epoch } = await leading(alone);
    const changes: (number | null)[] = [];
    hostLog.onStatus(({ leading: now }) => changes.push(now?.epoch ?? null));
    hostLog.campaign();
    await until("the next term", () => hostLog.status.leading?.epoch === epoch + 1);
    expect(changes[0]).toBe(null);
    expect(changes.at(-1)).toBe(epoch + 1);
    const old = await hostLog.append(dataOf(2), { position: 2, epoch });
    expect(old).toEqual({ type: "fenced", epoch: epoch + 1 });
  });

  test("reads at most about 4 MiB at once", limit, async () => {
    const alone = await one();
    const { hostLog } = alone.member;
    const { epoch } = await leading(alone);
    const data = new Uint8Array(1024 * 1024);
    for (let position = 1; position <= 6; position++) {
      await hostLog.append(data, { position, epoch });
    }
    expect(positions(hostLog, 1)).toEqual([1, 2, 3, 4]);
    expect(positions(hostLog, 5)).toEqual([5, 6]);
    expect(positions(hostLog, 7)).toEqual([]);
  });
});

describe("the host's state", () => {
  test("comes back byte for byte, with the slots after it, after a restart", limit, async () => {
    const first = await one();
    await fill(first, 5);
    const { hostLog } = first.member;
    expect(await hostLog.loadSnapshot()).toBeUndefined();
    await hostLog.saveSnapshot(3, chunksOf(hostState(1)));
    expect(hostLog.status).toMatchObject({ firstPosition: 4, lastPosition: 5, installs: 0 });
    expect(positions(hostLog, 3)).toEqual([]);
    const second = await restart(first);
    const loaded = await second.member.hostLog.loadSnapshot();
    expect(loaded?.position).toBe(3);
    expect(printsOf(await allOf(loaded?.chunks))).toEqual(printsOf(hostState(1)));
    await leading(second);
    expect(second.member.hostLog.read(4)).toMatchObject([{ position: 4 }, { position: 5 }]);
    await fill(second, 7);
    await second.member.hostLog.saveSnapshot(7, chunksOf(hostState(2)));
    const third = await restart(second);
    await leading(third);
    expect(third.member.hostLog.status).toMatchObject({ firstPosition: 8, lastPosition: 7 });
    expect(await printsOfState(third.member.hostLog)).toEqual(printsOf(hostState(2)));
    await fill(third, 8);
  });

  test("is carried on by snapshots that the tree needs", limit, async () => {
    const options = { compactionStep: 20, compactionKeep: 5, compactionBytes: 0 };
    const first = await one(options);
    await fill(first, 4);
    await first.member.hostLog.saveSnapshot(2, chunksOf(hostState(3)));
    const { lastCompactionAt } = first.member.status;
    const big = "x".repeat(40_000);
    for (let at = 0; first.member.status.lastCompactionAt === lastCompactionAt; at++) {
      expect(await write(first.member, [set(`/k/${at}`, big)])).toMatchObject({ status: 200 });
    }
    const second = await restart(first, options);
    await leading(second);
    expect(positions(second.member.hostLog, 3)).toEqual([3, 4]);
    expect(await printsOfState(second.member.hostLog)).toEqual(printsOf(hostState(3)));
  });

  test(
    "is read by two at once, and to its end though a newer one takes its place",
    limit,
    async () => {
      const alone = await one();
      await fill(alone, 4);
      const { hostLog } = alone.member;
      await hostLog.saveSnapshot(2, chunksOf(hostState(4)));
      const [a, b] = [await hostLog.loadSnapshot(), await hostLog.loadSnapshot()];
      const readers = [a, b].map((loaded) => loaded?.chunks[Symbol.asyncIterator]());
      const firsts = await Promise.all(readers.map((reader) => reader?.next()));
      await fill(alone, 5);
      await hostLog.saveSnapshot(4, chunksOf(hostState(5)));
      for (const [at, reader] of readers.entries()) {
        const parts = [Buffer.from(firsts[at]?.value ?? [])];
        for (let next = await reader?.next(); next?.done === false; next = await reader?.next()) {
          parts.push(Buffer.from(next.value));
        }
        expect(printsOf(parts)).toEqual(printsOf(hostState(4)));
      }
    },
  );

  test(
    "that a newer one replaced before it was read is refused, and loads again",
    limit,
    async () => {
      const alone = await one();
      await fill(alone, 4);
      const { hostLog } = alone.member;
      await hostLog.saveSnapshot(2, chunksOf(hostState(4)));
      const old = await hostLog.loadSnapshot();
      await hostLog.saveSnapshot(4, chunksOf(hostState(5)));
      await expect(allOf(old?.chunks)).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
      expect((await hostLog.loadSnapshot())?.position).toBe(4);
    },
  );

  test.each([
    {
      name: "break off",
      chunks: async function* () {
        yield Buffer.from("a part");
        throw new Error("the host is gone");
      },
    },
    {
      name: "are too large",
      chunks: async function* () {
        yield Buffer.alloc(16 * 1024 * 1024 + 1);
      },
    },
  ])("whose chunks $name is not saved, and the member goes on", limit, async ({ chunks }) => {
    const alone = await one();
    await fill(alone, 3);
    const { hostLog } = alone.member;
    await expect(hostLog.saveSnapshot(2, chunks())).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
    });
    expect(hostLog.status.firstPosition).toBe(1);
    await hostLog.saveSnapshot(3, chunksOf(hostState(6)));
    expect(await printsOfState(hostLog)).toEqual(printsOf(hostState(6)));
    expect(readdirSync(join(alone.dataDir, "agency")).filter((name) => /tmp/.test(name))).toEqual(
      [],
    );
  });

  test("whose host hangs does not keep the member from its end", limit, async () => {
    const alone = await one();
    await fill(alone, 1);
    const never = new Promise<IteratorResult<Uint8Array>>(() => undefined);
    const hanging = { [Symbol.asyncIterator]: () => ({ next: () => never }) };
    const saving = alone.member.hostLog.saveSnapshot(1, hanging);
    const refused = expect(saving).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    await alone.member.close();
    await refused;
    expect(alone.member.hostLog.status).toMatchObject({ leading: null, lastPosition: 1 });
    const at = { position: 2, epoch: 1 };
    expect(await alone.member.hostLog.append(dataOf(2), at)).toMatchObject({ type: "fenced" });
  });
});

test("files of a member without a host stay as they were", limit, async () => {
  const options = { compactionStep: 2, compactionKeep: 1, compactionBytes: 0 };
  const alone = await one(options);
  await leaderOf([alone]);
  for (let at = 0; at < 5; at++) await write(alone.member, [set(`/k${at}`, at)]);
  await until("a snapshot", () => alone.member.status.lastCompactionAt > 0);
  await alone.kill();
  const log = await openLog({ dir: join(alone.dataDir, "agency") });
  const [head, tree] = await allOf(log.loadSnapshot()?.chunks);
  await log.close();
  expect(JSON.parse(String(head))).toMatchObject({ format: 1 });
  expect(String(tree).charCodeAt(0)).toBeGreaterThan(31);
});

describe("of three members, the host's log", () => {
  test("is on each, follows the leader, and names its owner", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    await fill(leader, 4);
    for (const { member } of members) {
      await until("all slots", () => member.hostLog.status.lastPosition === 4);
      expect(member.hostLog.status).toMatchObject({ owner: leader.address, firstPosition: 1 });
      expect(textsOf(member.hostLog)).toEqual(textsOf(leader.member.hostLog));
    }
    const follower = members.find((each) => each !== leader);
    if (follower === undefined) throw new Error("no follower");
    const { epoch } = await leading(leader);
    const fenced = await follower.member.hostLog.append(dataOf(5), { position: 5, epoch });
    expect(fenced).toEqual({ type: "fenced", epoch });
    await leader.kill();
    const next = await leaderOf(members.filter((each) => each !== leader));
    const now = await leading(next);
    expect(now).toMatchObject({ position: 4 });
    expect(now.epoch).toBeGreaterThan(epoch);
    await fill(next, 6);
  });

  test("reaches a member that lags as another's snapshot, host state and all", limit, async () => {
    const options = { compactionKeep: 0, compactionBytes: 0 };
    const members = await startAgency(cleanUps, 3, options);
    const leader = await leaderOf(members);
    const lagging = members.find((each) => each !== leader);
    if (lagging === undefined) throw new Error("no follower");
    await fill(leader, 2);
    await lagging.kill();
    // More than a log keeps of what a snapshot covers.
    const { hostLog } = leader.member;
    const { epoch } = await leading(leader);
    const data = new Uint8Array(1024 * 1024);
    for (let position = 3; position <= 40; position++) {
      await hostLog.append(data, { position, epoch });
    }
    const rest = members.filter((each) => each !== lagging);
    for (const each of rest) {
      await until("all slots", () => each.member.hostLog.status.lastPosition === 40);
      await each.member.hostLog.saveSnapshot(38, chunksOf(hostState(7)));
    }
    const again = await restart(lagging, options);
    const { hostLog: theirs } = again.member;
    await until("the snapshot", () => theirs.status.installs === 1);
    await until("all slots", () => theirs.status.lastPosition === 40);
    const loaded = await theirs.loadSnapshot();
    expect(loaded?.position).toBe(38);
    expect(printsOf(await allOf(loaded?.chunks))).toEqual(printsOf(hostState(7)));
    expect(positions(theirs, 39)).toEqual([39, 40]);
    await theirs.saveSnapshot(40, chunksOf(hostState(8)));
    expect((await theirs.loadSnapshot())?.position).toBe(40);
  });

  test("is kept when one member is made an agency of its own", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    await fill(leader, 3);
    await leader.member.hostLog.saveSnapshot(2, chunksOf(hostState(9)));
    const { epoch } = await leading(leader);
    for (const each of members) await each.kill();
    await rebuild(leader.dataDir, null);
    const port = Number(leader.address.split(":")[1]);
    const alone = await startTestMember(leader.dataDir, { port });
    cleanUps.push(() => alone.close());
    expect((await leading(alone)).epoch).toBeGreaterThan(epoch);
    expect(positions(alone.member.hostLog, 3)).toEqual([3]);
    expect(await printsOfState(alone.member.hostLog)).toEqual(printsOf(hostState(9)));
    await fill(alone, 4);
  });
});
