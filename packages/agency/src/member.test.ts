import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectLink } from "@halon/actor";
import { afterEach, describe, expect, test } from "vitest";
import {
  deadlineMs,
  leaderOf,
  makeDir,
  read,
  startAgency,
  startTestMember,
  type TestMember,
  until,
  write,
} from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, deadlineMs);

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const limit = { timeout: 4 * deadlineMs };

async function restart(member: TestMember, options: object = {}): Promise<TestMember> {
  const port = Number(member.address.split(":")[1]);
  const again = await startTestMember(member.dataDir, { port, ...options });
  cleanUps.push(() => again.close());
  return again;
}

describe("an agency", () => {
  test("of one elects itself, and reads what was written", limit, async () => {
    const [one] = await startAgency(cleanUps, 1);
    if (one === undefined) throw new Error("no member");
    await leaderOf([one]);
    expect(await write(one.member, [set("/a", 1)])).toMatchObject({ status: 200 });
    expect(await read(one.member, [["/a"]])).toMatchObject({ text: '[{"a":1}]' });
  });

  test(
    "of three has what was written after its leader is lost, and after all are",
    limit,
    async () => {
      const members = await startAgency(cleanUps, 3);
      const leader = await leaderOf(members);
      expect(await write(leader.member, [set("/a", 1), set("/b", 2)])).toMatchObject({
        status: 200,
      });
      await leader.kill();
      const rest = members.filter((member) => member !== leader);
      const next = await leaderOf(rest);
      expect(next.member.status.term).toBeGreaterThan(1);
      expect(await read(next.member, [["/a", "/b"]])).toMatchObject({ text: '[{"a":1,"b":2}]' });
      expect(await write(next.member, [set("/c", 3)])).toMatchObject({ status: 200 });
      for (const member of rest) await member.kill();
      const again = await Promise.all(members.map((member) => restart(member)));
      const newest = await leaderOf(again);
      expect(newest.member.status.startup).toBe("persistence");
      expect(await read(newest.member, [["/c"]])).toMatchObject({ text: '[{"c":3}]' });
    },
  );

  test(
    "answers 412 and reads through its leader alone, and names it elsewhere",
    limit,
    async () => {
      const members = await startAgency(cleanUps, 3);
      const leader = await leaderOf(members);
      await write(leader.member, [set("/a", 1)]);
      const refused = await write(leader.member, [[{ "/a": 2 }, { "/a": { old: 7 } }]]);
      expect(refused).toEqual({ type: "written", status: 412, results: [0] });
      const follower = members.find((member) => member !== leader);
      if (follower === undefined) throw new Error("no follower");
      await until("a follower that knows its leader", () => follower.member.status.leaderId);
      expect(await read(follower.member, [["/a"]])).toEqual({
        type: "notLeader",
        leaderId: leader.member.status.id,
      });
    },
  );

  test("without a majority answers nothing", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    await write(leader.member, [set("/a", 1)]);
    for (const member of members) if (member !== leader) await member.kill();
    const answers = await Promise.all([
      write(leader.member, [set("/a", 2)]),
      read(leader.member, [["/a"]]),
    ]);
    for (const { type } of answers) {
      expect(["lostLeadership", "notCommitted", "noLeader"]).toContain(type);
    }
  });

  test("hands its leadership over when that is asked for", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    const other = members.find((member) => member !== leader);
    if (other === undefined) throw new Error("no other");
    const to = other.member.status.id;
    expect(await leader.member.request({ type: "transferLeader", to })).toEqual({ type: "done" });
    expect(await leaderOf(members)).toBe(other);
  });
});

test("a member that lags gets a snapshot, and what came after it", limit, async () => {
  const options = { compactionStep: 20, compactionKeep: 5, compactionBytes: 0 };
  const members = await startAgency(cleanUps, 3, options);
  const leader = await leaderOf(members);
  const lagging = members.find((member) => member !== leader);
  if (lagging === undefined) throw new Error("no follower");
  await lagging.kill();
  const big = "x".repeat(40_000);
  for (let at = 0; at < 200; at++) {
    expect(await write(leader.member, [set(`/k/${at}`, big)])).toMatchObject({ status: 200 });
  }
  const { lastCompactionAt } = leader.member.status;
  expect(lastCompactionAt).toBeGreaterThan(0);
  const again = await restart(lagging, options);
  const { index } = leader.member.view.committed;
  await until("a follower that has all", () => again.member.view.committed.index >= index);
  expect(again.member.status.lastCompactionAt).toBeGreaterThan(0);
  expect(await write(leader.member, [set("/last", 1)])).toMatchObject({ status: 200 });
  await until("the last write", () => again.member.view.committed.index > index);
});

describe("strangers", () => {
  test("two agencies refuse each other", limit, async () => {
    const [one] = await startAgency(cleanUps, 1);
    if (one === undefined) throw new Error("no member");
    await leaderOf([one]);
    const [other] = await startAgency(cleanUps, 1);
    if (other === undefined) throw new Error("no member");
    await leaderOf([other]);
    const { id, cluster } = other.member.status;
    const pool = { [id]: other.address };
    const told = one.member.gossip({ id, endpoint: other.address, size: 1, pool, cluster });
    expect(told).toMatchObject({ type: "refused", removed: false });
  });

  test("a member of another agency, or one that is not known, gets no link", limit, async () => {
    const [one] = await startAgency(cleanUps, 1);
    if (one === undefined) throw new Error("no member");
    await leaderOf([one]);
    const url = `ws://${one.address}/_link`;
    const { cluster } = one.member.status;
    const stranger = { ...one.member.hello, node: "agnt-1", class: "raft" } as const;
    await expect(connectLink({ url, hello: stranger })).rejects.toMatchObject({
      message: expect.stringContaining("is not a member of this agency"),
    });
    const other = { ...stranger, cluster: "other" };
    await expect(connectLink({ url, hello: other })).rejects.toMatchObject({
      message: expect.stringContaining(`this node is of "${cluster}"`),
    });
    const homeless = { ...stranger, cluster: null };
    await expect(connectLink({ url, hello: homeless })).rejects.toMatchObject({
      message: expect.stringContaining("is of no agency yet"),
    });
  });

  test("a member that lost its disk is told how it is let in, and waits", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    const wiped = members.find((member) => member !== leader);
    if (wiped === undefined) throw new Error("no follower");
    const old = wiped.member.status.id;
    await wiped.kill();
    const port = Number(wiped.address.split(":")[1]);
    const again = await startTestMember(makeDir(cleanUps), { port, join: [leader.address] });
    cleanUps.push(() => again.close());
    const reason = await until("a reason", () => again.member.status.reason);
    expect(again.member.status.role).toBe("waiting");
    expect(reason).toContain(`halonctl agency member remove ${old}`);
    expect(reason).toContain(`halonctl agency member add ${wiped.address}`);
    const remove = { type: "changeMembers", change: { remove: [old] } } as const;
    expect(await leader.member.request(remove)).toEqual({ type: "done" });
    const added = await leader.member.addMember(wiped.address, { learner: false });
    expect(added).toEqual({ id: again.member.status.id, answer: { type: "done" } });
    expect(leader.member.status.configuration?.voters).toContain(added.id);
  });

  test("a member that is removed says so and ends with 4", limit, async () => {
    const members = await startAgency(cleanUps, 3);
    const leader = await leaderOf(members);
    const other = members.find((member) => member !== leader);
    if (other === undefined) throw new Error("no follower");
    const remove = [other.member.status.id];
    const answer = await leader.member.request({ type: "changeMembers", change: { remove } });
    expect(answer).toEqual({ type: "done" });
    expect(await other.ended).toMatchObject({ exitCode: 4 });
  });
});

test(
  "a member whose log is damaged does not start, and leaves nothing running",
  limit,
  async () => {
    const [one] = await startAgency(cleanUps, 1);
    if (one === undefined) throw new Error("no member");
    await leaderOf([one]);
    await write(one.member, [set("/a", 1), set("/b", 2)]);
    await one.kill();
    const path = join(one.dataDir, "agency", "00000000000000000001.log");
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
    writeFileSync(path, bytes);
    await expect(restart(one)).rejects.toMatchObject({ code: "HAL_STORE_DAMAGED" });
    expect(readFileSync(path)).toEqual(bytes);
  },
);

test("a member that moved is found at its new address", limit, async () => {
  const members = await startAgency(cleanUps, 3);
  const leader = await leaderOf(members);
  const moving = members.find((member) => member !== leader);
  if (moving === undefined) throw new Error("no follower");
  await moving.kill();
  const moved = await startTestMember(moving.dataDir);
  cleanUps.push(() => moved.close());
  expect(moved.address).not.toBe(moving.address);
  const { id } = moved.member.status;
  await until("the new address", () => leader.member.status.pool.get(id) === moved.address);
  expect(await write(leader.member, [set("/a", 1)])).toMatchObject({ status: 200 });
  const { index } = leader.member.view.committed;
  await until("a follower that has all", () => moved.member.view.committed.index >= index);
});
