import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  freePorts,
  halond,
  host,
  kill,
  type Program,
  root,
  start,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";

const halondPath = join(root, "packages/cli/bin/halond.js");
const entryCount = 50_000;
const batchSize = 1_000;
const recoveryMs = 60_000;

/** What was written: each key has a value of its own. */
const written = Object.fromEntries(
  Array.from({ length: entryCount }, (_, at) => [`k${at}`, `value of ${at}`]),
);

interface Member {
  readonly endpoint: string;
  readonly dataDir: string;
  readonly command: readonly string[];
  program: Program;
}

interface Config {
  readonly leaderId: string;
  readonly commitIndex: number;
}

afterEach(cleanUp);

test("each member that is killed with 50,000 entries has every one when it is back", async () => {
  const members = await startAgency();
  const last = await writeAll(members);
  for (const member of members) {
    await restart([member]);
    await waitForAgreement(members, last);
    expect(await entriesOf(member)).toEqual(written);
  }
});

test("what was acknowledged is on every member after all were killed at once", async () => {
  const members = await startAgency();
  const last = await writeAll(members);
  await restart(members);
  await waitForAgreement(members, last);
  for (const member of members) expect(await entriesOf(member)).toEqual(written);
  // Reads that rest on a majority say the same.
  const [answer] = (await waitFor("a read", () =>
    ask(members[0], "read", [["/entries"]]),
  )) as readonly [{ readonly entries: unknown }];
  expect(answer.entries).toEqual(written);
});

test("each member that is killed has every one on its own disk", async () => {
  const members = await startAgency();
  const last = await writeAll(members);
  await waitForAgreement(members, last);
  await killAll(members);
  for (const member of members) {
    // Made an agency of one, so that nobody can give it what it lacks.
    const { dataDir, endpoint } = member;
    const rebuilt = await halond("agency", "rebuild", "--data-dir", dataDir, "--accept-loss");
    expect(rebuilt).toMatchObject({ code: 0 });
    const listen = new URL(endpoint).host;
    const alone = ["--listen", listen, "--data-dir", dataDir, "--agency-size", "1"];
    member.program = start([halondPath, "agency", ...alone]);
    await waitForAgreement([member], last);
    expect(await entriesOf(member)).toEqual(written);
  }
});

async function startAgency(): Promise<readonly Member[]> {
  const directory = temporaryDirectory();
  const ports = await freePorts(3);
  const members = ports.map((port, at) => {
    const dataDir = join(directory, `member-${at}`);
    const command = [
      ...[halondPath, "agency", "--listen", `${host}:${port}`, "--agency-size", "3"],
      ...["--data-dir", dataDir],
      ...ports.filter((other) => other !== port).flatMap((other) => ["--join", `${host}:${other}`]),
    ];
    const endpoint = `http://${host}:${port}`;
    return { endpoint, dataDir, command, program: start(command) };
  });
  await waitForAgreement(members, 0);
  return members;
}

/** Gives the index of the last transaction, which is acknowledged. */
async function writeAll(members: readonly Member[]): Promise<number> {
  let last = 0;
  const transactions = Object.entries(written).map(([key, value]) => [
    { [`/entries/${key}`]: { op: "set", new: value } },
  ]);
  for (let from = 0; from < entryCount; from += batchSize) {
    const batch = transactions.slice(from, from + batchSize);
    // An election on a busy machine loses the answer; setting the same values once more changes nothing.
    const { results } = (await waitFor("a batch to be written", () =>
      ask(members[0], "write", batch),
    )) as { readonly results: readonly number[] };
    expect(results.every((index) => index > 0)).toBe(true);
    last = Math.max(last, ...results);
  }
  return last;
}

async function restart(members: readonly Member[]): Promise<void> {
  await killAll(members);
  for (const member of members) member.program = start(member.command);
}

async function killAll(members: readonly Member[]): Promise<void> {
  for (const { program } of members) kill(program.pid, "SIGKILL");
  await Promise.all(members.map(({ program }) => program.ended));
}

/**
 * Waits until all follow one leader and have committed the same, up to this transaction or further.
 *
 * Members that have just started know no more to be committed than their snapshots have, and may agree on that.
 */
async function waitForAgreement(members: readonly Member[], least: number): Promise<void> {
  await waitFor(
    "all members to agree",
    async () => {
      const configs = await Promise.all(members.map(configOf));
      const views = configs.map(({ leaderId, commitIndex }) => `${leaderId} ${commitIndex}`);
      const [first] = configs;
      const isAlike = views.every((view) => view === views[0]);
      if (first?.leaderId && isAlike && first.commitIndex >= least) return true;
      throw new Error(`${views.join(", ")}; at least ${least} is wanted`);
    },
    recoveryMs,
  );
}

async function configOf({ endpoint }: Member): Promise<Config> {
  const response = await fetch(`${endpoint}/_api/agency/config`, {
    signal: AbortSignal.timeout(2_000),
  });
  // A member that has not read its disk yet says so, and nothing else.
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Config;
}

/** What a member has committed itself, whoever leads. */
async function entriesOf({ endpoint }: Member): Promise<unknown> {
  const response = await fetch(`${endpoint}/_api/agency/stores`);
  const { read_db: store } = (await response.json()) as { read_db: [{ entries: unknown }] };
  return store[0].entries;
}

/** Asks the leader by way of a member. */
async function ask(member: Member | undefined, route: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${member?.endpoint}/_api/agency/${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
  return response.json();
}
