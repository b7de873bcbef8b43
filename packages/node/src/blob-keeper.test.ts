import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Blobs, openBlobs } from "@halon/coordinator";
import { afterEach, expect, test } from "vitest";
import { BlobKeeper } from "./blob-keeper.ts";
import { type LinkedNode, linkedNode, until } from "./testing.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const bytes = new TextEncoder().encode("export default 1;");
const hash = createHash("sha256").update(bytes).digest("hex");

interface Keeping {
  readonly node: LinkedNode;
  readonly blobs: Blobs;
  readonly keeper: BlobKeeper;
}

const tracking = ["node-1", "node-2", "node-3"];

/** A node whose leader is `node-1`; all but `node-1` are linked to it. */
async function keeping(name: string, leader?: LinkedNode, majorityMs = 10_000): Promise<Keeping> {
  const dir = mkdtempSync(join(tmpdir(), "halon-blobs-"));
  open.push({ close: () => rmSync(dir, { recursive: true, force: true }) });
  const node = await linkedNode(name);
  open.push(node);
  const blobs = await openBlobs(dir);
  const keeper = new BlobKeeper({
    name,
    system: node.system,
    blobs,
    others: tracking.filter((other) => other !== name),
    leader: () => "node-1",
    majorityMs,
  });
  if (tracking.includes(name)) keeper.serve();
  if (leader !== undefined) {
    node.links.follow(leader.address);
    await until("the link", () => leader.system.nodes().includes(name));
  }
  return { node, blobs, keeper };
}

test("a blob that was put is on a majority of tracking nodes", async () => {
  const leader = await keeping("node-1");
  const other = await keeping("node-2", leader.node);
  await leader.keeper.put(hash, bytes);
  expect(await other.blobs.has(hash)).toBe(true);
  expect(await leader.keeper.missing([hash, "0".repeat(64)])).toEqual(["0".repeat(64)]);
});

test("a blob that a majority cannot have is refused, and is not called present until it can", async () => {
  const leader = await keeping("node-1", undefined, 1_000);
  const refused = leader.keeper.put(hash, bytes);
  await expect(refused).rejects.toMatchObject({ code: "HAL_UNREACHABLE" });
  const other = await keeping("node-2", leader.node);
  expect(await leader.keeper.missing([hash])).toEqual([]);
  expect(await other.blobs.has(hash)).toBe(true);
});

test("a satellite gets a blob that its leader lacks through the leader, from another tracking node", async () => {
  const leader = await keeping("node-1");
  const holder = await keeping("node-2", leader.node);
  await holder.blobs.put(hash, bytes);
  const satellite = await keeping("node-9", leader.node);
  await until("the bulk link", () => satellite.node.links.peer !== undefined);
  await satellite.keeper.fetch(hash);
  expect(await satellite.blobs.has(hash)).toBe(true);
  expect(await leader.blobs.has(hash)).toBe(true);
});

test("a blob that no node has is missing, and the error names it", async () => {
  const leader = await keeping("node-1");
  const satellite = await keeping("node-9", leader.node);
  for (const { keeper } of [leader, satellite]) {
    const fetched = keeper.fetch(hash);
    await expect(fetched).rejects.toMatchObject({
      code: "HAL_BLOB_MISSING",
      message: expect.stringContaining(hash),
    });
  }
});
