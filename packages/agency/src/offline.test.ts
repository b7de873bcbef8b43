import { rm } from "node:fs/promises";
import { afterEach, expect, test } from "vitest";
import { snapshotBody } from "./http/snapshot-body.ts";
import { rebuild, restoreSnapshot } from "./offline.ts";
import {
  deadlineMs,
  leaderOf,
  makeDir,
  read,
  startAgency,
  startTestMember,
  write,
} from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, deadlineMs);

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const limit = { timeout: 4 * deadlineMs };

test("what one member of three holds becomes an agency of one, with other ids", limit, async () => {
  const members = await startAgency(cleanUps, 3);
  const leader = await leaderOf(members);
  expect(await write(leader.member, [set("/a", 1)])).toMatchObject({ status: 200 });
  const { id, cluster } = leader.member.status;
  for (const member of members) await member.kill();
  const outcome = await rebuild(leader.dataDir, null);
  expect(outcome.id).not.toBe(id);
  expect(outcome.cluster).not.toBe(cluster);
  const port = Number(leader.address.split(":")[1]);
  const alone = await startTestMember(leader.dataDir, { port });
  cleanUps.push(() => alone.close());
  await leaderOf([alone]);
  expect(alone.member.status.cluster).toBe(outcome.cluster);
  expect(await read(alone.member, [["/a"]])).toMatchObject({ text: '[{"a":1}]' });
  expect(await write(alone.member, [set("/b", 2)])).toMatchObject({ status: 200 });
});

test("a saved snapshot becomes an agency of one, and a damaged one nothing", limit, async () => {
  const [one] = await startAgency(cleanUps, 1);
  if (one === undefined) throw new Error("no member");
  await leaderOf([one]);
  await write(one.member, [set("/a", 1)]);
  const parts: Uint8Array[] = [];
  for await (const part of snapshotBody(one.member.snapshot())) parts.push(part);
  const bytes = Buffer.concat(parts);

  const dir = makeDir(cleanUps);
  await expect(
    restoreSnapshot(inParts(bytes.subarray(0, -5)), dir, "127.0.0.1:1"),
  ).rejects.toMatchObject({
    code: "HAL_STORE_DAMAGED",
  });
  const { index } = await restoreSnapshot(inParts(bytes), dir, "127.0.0.1:1");
  expect(index).toBe(one.member.view.committed.index);
  await expect(restoreSnapshot(inParts(bytes), dir, "127.0.0.1:1")).rejects.toMatchObject({
    code: "HAL_DATA_DIR_INVALID",
  });
  const restored = await startTestMember(dir, { advertise: "127.0.0.1:1" });
  cleanUps.push(() => restored.close());
  await leaderOf([restored]);
  expect(await read(restored.member, [["/a"]])).toMatchObject({ text: '[{"a":1}]' });
  await rm(dir, { recursive: true, force: true });
});

async function* inParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}
