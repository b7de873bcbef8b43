import { join } from "node:path";
import { freePorts, host, line, type Program, root, start, waitFor } from "../../e2e/cluster.ts";

/** The program `halond`. */
export const halondPath = join(root, "packages/cli/bin/halond.js");

/** One member of an agency, running or not. */
export interface Member {
  readonly endpoint: string;
  readonly address: string;
  readonly dataDir: string;
  readonly args: readonly string[];
  program: Program;
}

/** What the tests look at in the answer to `config`. */
export interface Config {
  readonly term: number;
  readonly leaderId: string;
  readonly commitIndex: number;
  readonly role: string;
  readonly reason: string | null;
  readonly cluster: string | null;
  readonly configuration: {
    readonly id: string;
    readonly active: readonly string[];
    readonly pool: Readonly<Record<string, string>>;
  };
}

/** Starts one member and waits until it listens. */
export async function startMember(
  dataDir: string,
  port: number,
  args: readonly string[],
): Promise<Member> {
  const address = `${host}:${port}`;
  const all = [halondPath, "agency", "--data-dir", dataDir, "--listen", address, ...args];
  const member = {
    endpoint: `http://${address}`,
    address,
    dataDir,
    args: all,
    program: start(all),
  };
  await line(member.program, /^halond ready .*$/m, 30_000);
  return member;
}

/** Starts a member again that has ended, as it was started the first time. */
export async function restart(member: Member): Promise<void> {
  member.program = start(member.args);
  await line(member.program, /^halond ready .*$/m, 30_000);
}

/** Ends a member by force, and waits until it is gone. */
export async function kill(member: Member): Promise<void> {
  member.program.signal("SIGKILL");
  await member.program.ended;
}

/** Starts a whole agency: every member joins the first. */
export async function startAgency(
  directory: string,
  size: number,
  args: readonly string[] = [],
): Promise<readonly Member[]> {
  const ports = await freePorts(size);
  const members = await Promise.all(
    ports.map((port, at) =>
      startMember(join(directory, `a${at + 1}`), port, [
        ...["--name", `a${at + 1}`, "--agency-size", String(size), "--compaction.bytes", "0"],
        ...(at === 0 ? [] : ["--join", `${host}:${ports[0]}`]),
        ...args,
      ]),
    ),
  );
  await leaderOf(members);
  return members;
}

/** What a member says of itself; an error when it does not answer. */
export async function configOf({ endpoint }: Member): Promise<Config> {
  const response = await fetch(`${endpoint}/_api/agency/config`, {
    signal: AbortSignal.timeout(2_000),
  });
  return (await response.json()) as Config;
}

/** Waits until all of these members follow one of them, or the one that is running and known to them. */
export function leaderOf(members: readonly Member[], deadlineMs = 30_000): Promise<Member> {
  return waitFor(
    "all members to agree on a leader that serves",
    async () => {
      const configs = await Promise.all(members.map(configOf));
      const leaderId = configs[0]?.leaderId ?? "";
      const leader = members.find((_, at) => configs[at]?.configuration.id === leaderId);
      if (leader === undefined || configs.some((config) => config.leaderId !== leaderId)) {
        throw new Error(
          JSON.stringify(configs.map(({ leaderId, role, reason }) => ({ leaderId, role, reason }))),
        );
      }
      const read = await fetch(`${leader.endpoint}/_api/agency/read`, {
        method: "POST",
        body: "[]",
        redirect: "manual",
        signal: AbortSignal.timeout(5_000),
      });
      return read.status === 200 ? leader : undefined;
    },
    deadlineMs,
  );
}
