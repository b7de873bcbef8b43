import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  type Config,
  configOf,
  halondPath,
  kill,
  leaderOf,
  type Member,
  startAgency,
  startMember,
} from "../conformance/agency/members.ts";
import { cleanUp, freePorts, host, isLong, run, temporaryDirectory, waitFor } from "./cluster.ts";

afterEach(cleanUp);

/** Starts members one after the other: each has a place, and joins the places that it is told. */
async function startInOrder(
  order: readonly number[],
  joins: readonly (readonly number[])[],
): Promise<readonly Member[]> {
  const directory = temporaryDirectory();
  const ports = await freePorts(order.length);
  const members: Member[] = [];
  for (const place of order) {
    const join_ = (joins[place] ?? []).map((other) => `${host}:${ports[other]}`);
    members.push(
      await startMember(join(directory, `a${place}`), ports[place] ?? 0, [
        ...["--name", `a${place}`, "--agency-size", String(order.length)],
        ...join_.flatMap((address) => ["--join", address]),
      ]),
    );
  }
  return members;
}

async function expectWhole(members: readonly Member[]): Promise<void> {
  await leaderOf(members);
  const configs = await Promise.all(members.map(configOf));
  const ids = configs.map(({ configuration }) => configuration.id).toSorted();
  expect(new Set(ids).size).toBe(members.length);
  for (const { configuration } of configs) {
    expect([...configuration.active].toSorted()).toEqual(ids);
    expect(Object.keys(configuration.pool).toSorted()).toEqual(ids);
  }
}

const star = [[], [0], [0]];
const chain = [[], [0], [1]];

test.each(isLong ? [1, 3, 5, 7] : [1, 5])(
  "%i members find each other and elect a leader",
  async (size) => {
    await expectWhole(await startAgency(temporaryDirectory(), size));
  },
);

const startOrders: readonly (readonly [string, readonly number[]])[] = [
  ["0 1 2", [0, 1, 2]],
  ["0 2 1", [0, 2, 1]],
  ["1 0 2", [1, 0, 2]],
  ["1 2 0", [1, 2, 0]],
  ["2 0 1", [2, 0, 1]],
  ["2 1 0", [2, 1, 0]],
];

test.each(isLong ? startOrders : startOrders.slice(-2))(
  "three members start in the order %s, whom they join may come last",
  async (_, order) => {
    const members = await startInOrder(order, star);
    const started = performance.now();
    await leaderOf(members);
    console.log(
      `order ${order}: a leader ${Math.round(performance.now() - started)} ms after the third`,
    );
    await expectWhole(members);
  },
);

const graphs: readonly (readonly [string, readonly number[], readonly (readonly number[])[]])[] = [
  ["a chain", [0, 1, 2], chain],
  ["a chain, its end first", [2, 1, 0], chain],
  ["a ring", [0, 1, 2], [[2], [0], [1]]],
  ["a chain of five", [4, 2, 0, 3, 1], [[], [0], [1], [2], [3]]],
  [
    "everybody",
    [1, 0, 2],
    [
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ],
  ],
];

test.each(isLong ? graphs : graphs.slice(1, 4))("--join may name %s", async (_, order, joins) => {
  await expectWhole(await startInOrder(order, joins));
});

test("members find each other again after a restart, without --join", async () => {
  const members = await startAgency(temporaryDirectory(), 3);
  const before = await Promise.all(members.map(configOf));
  await Promise.all(members.map(kill));
  const again = await Promise.all(
    members.map(({ dataDir, address }) =>
      startMember(dataDir, Number(address.split(":")[1]), ["--agency-size", "3"]),
    ),
  );
  await expectWhole(again);
  const after = await Promise.all(again.map(configOf));
  expect(after.map(idOf)).toEqual(before.map(idOf));
});

test("two agencies that are complete do not merge, whomever their members join", async () => {
  const [first, second] = [
    await startAgency(temporaryDirectory(), 3),
    await startAgency(temporaryDirectory(), 3),
  ];
  const [member] = second;
  if (member === undefined) throw new Error("no member");
  const ids = (await Promise.all(second.map(configOf))).map(idOf).toSorted();
  await kill(member);
  const port = Number(member.address.split(":")[1]);
  const joined = [...first, ...second.slice(1)].flatMap(({ address }) => ["--join", address]);
  const again = await startMember(member.dataDir, port, ["--agency-size", "3", ...joined]);
  await leaderOf([again, ...second.slice(1)]);
  expect([...(await configOf(again)).configuration.active].toSorted()).toEqual(ids);
  for (const one of first) {
    expect((await configOf(one)).configuration.active).not.toContain(
      (await configOf(again)).configuration.id,
    );
  }
});

test("a member whose directory was wiped is a stranger, and is told how it gets in", async () => {
  const members = await startAgency(temporaryDirectory(), 3);
  const wiped = members[2];
  if (wiped === undefined) throw new Error("no member");
  const before = idOf(await configOf(wiped));
  await kill(wiped);
  rmSync(wiped.dataDir, { recursive: true });
  const others = members.slice(0, 2);
  const again = await startMember(wiped.dataDir, Number(wiped.address.split(":")[1]), [
    ...["--agency-size", "3", "--join", others[0]?.address ?? ""],
  ]);
  await waitFor("the stranger to say which command lets it in", () =>
    again.program.output().includes("member add"),
  );
  const stranger = await configOf(again);
  expect([stranger.role, idOf(stranger) === before, stranger.leaderId]).toEqual([
    "waiting",
    false,
    "",
  ]);
  for (const one of others) {
    expect((await configOf(one)).configuration.active).toContain(before);
    expect((await configOf(one)).configuration.active).not.toContain(idOf(stranger));
  }
});

test("a member that lost its disk is replaced by remove and add, and has everything", async () => {
  const members = await startAgency(temporaryDirectory(), 3);
  const lost = members[2];
  if (lost === undefined) throw new Error("no member");
  const before = idOf(await configOf(lost));
  const others = members.slice(0, 2);
  const leader = others[0] ?? lost;
  await post(leader, "write", [[{ "/a": 1 }]]);
  await kill(lost);
  rmSync(lost.dataDir, { recursive: true });
  const again = await startMember(lost.dataDir, Number(lost.address.split(":")[1]), [
    ...["--agency-size", "3", "--join", leader.address],
  ]);
  await leaderOf(others);
  const endpoint = ["-e", leader.endpoint];
  expect(await halonctl(...endpoint, "agency", "member", "remove", before)).toMatchObject({
    code: 0,
  });
  expect(await halonctl(...endpoint, "agency", "member", "add", again.address)).toMatchObject({
    code: 0,
  });
  await leaderOf([...others, again]);
  const { stdout } = await halonctl(...endpoint, "agency", "member", "list");
  expect(stdout).toContain(again.address);
  expect(stdout).not.toContain("learner");
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  expect(await post(again, "read", [["/a"]])).toEqual([{ a: 1 }]);
});

test("a second process on a data directory is refused, and the first goes on", async () => {
  const directory = temporaryDirectory();
  const [member] = await startAgency(directory, 1);
  if (member === undefined) throw new Error("no member");
  const { code, stderr } = await run([
    ...[halondPath, "agency", "--data-dir", member.dataDir],
    ...["--listen", `${host}:0`, "--agency-size", "1"],
  ]);
  expect([code, stderr]).toEqual([4, expect.stringContaining("HAL_DATA_DIR_LOCKED")]);
  expect(await post(member, "write", [[{ "/a": 1 }]])).toEqual({ results: [expect.any(Number)] });
});

function idOf({ configuration }: Config): string {
  return configuration.id;
}

function halonctl(...args: readonly string[]) {
  return run([halondPath.replace("halond.js", "halonctl.js"), ...args], { deadlineMs: 60_000 });
}

async function post({ endpoint }: Member, name: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${endpoint}/_api/agency/${name}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  return response.json();
}
