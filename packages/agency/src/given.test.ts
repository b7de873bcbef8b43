import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readIdentity } from "./identity.ts";
import { deadlineMs, leaderOf, makeDir, startTestMember, until, write } from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, deadlineMs);

const limit = { timeout: 4 * deadlineMs };
const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const idOf = (digit: number) => `AGNT-00000000-0000-4000-8000-00000000000${digit}`;

test(
  "members that are given their agency discover nothing, and find each other",
  limit,
  async () => {
    const ports = await Promise.all([1, 2, 3].map(freePort));
    const founders = Object.fromEntries(
      ports.map((port, at) => [idOf(at + 1), `127.0.0.1:${port}`] as const),
    );
    const members = [];
    for (const [at, port] of ports.entries()) {
      const given = { id: idOf(at + 1), cluster: "c1", founders };
      const one = await startTestMember(makeDir(cleanUps), { port, given });
      cleanUps.push(() => one.close());
      // Of its own agency from the first moment on, whoever else is there.
      expect(one.member.status).toMatchObject({ id: idOf(at + 1), cluster: "c1" });
      expect(one.member.status.role).not.toBe("discovering");
      expect(readIdentity(one.dataDir)).toMatchObject({ cluster: "c1", founders, pool: founders });
      members.push(one);
    }
    const leader = await leaderOf(members);
    expect(await write(leader.member, [set("/a", 1)])).toMatchObject({ status: 200 });
    const { index } = leader.member.view.committed;
    for (const { member } of members) {
      await until("what was written", () => member.view.committed.index >= index);
    }
  },
);

test.each([
  { name: "another member", change: { id: idOf(2) } },
  { name: "another cluster", change: { cluster: "c2" } },
])("a later start as $name is refused, naming both, and changes nothing", async ({ change }) => {
  const dir = makeDir(cleanUps);
  const given = { id: idOf(1), cluster: "c1", founders: { [idOf(1)]: "127.0.0.1:1" } };
  const options = { advertise: "127.0.0.1:1", agencySize: 1, given } as const;
  const first = await startTestMember(dir, options);
  await first.close();
  const before = readFileSync(join(dir, "agency.json"), "utf8");
  const other = { ...given, ...change };
  await expect(startTestMember(dir, { ...options, given: other })).rejects.toMatchObject({
    code: "HAL_DATA_DIR_INVALID",
    message: expect.stringMatching(
      new RegExp(`${given.id}.*${given.cluster}.*${other.id}.*${other.cluster}`),
    ),
  });
  expect(readFileSync(join(dir, "agency.json"), "utf8")).toBe(before);
  const again = await startTestMember(dir, options);
  cleanUps.push(() => again.close());
  expect(again.member.status.startup).toBe("persistence");
});

test("a sole member leads without the wait for an election", limit, async () => {
  const given = { id: idOf(1), cluster: "c1", founders: { [idOf(1)]: "127.0.0.1:1" } };
  // Waits that nobody would live to see.
  const waits = { electionMinMs: 10 * deadlineMs, electionMaxMs: 11 * deadlineMs };
  const one = await startTestMember(makeDir(cleanUps), {
    ...{ advertise: "127.0.0.1:1", agencySize: 1, given, ...waits },
  });
  cleanUps.push(() => one.close());
  await until("the leader", () => one.member.hostLog.status.leading);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
