// Members of Halon's agency on loopback, with the defaults of the command.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchOnce } from "./http1.mjs";
import { freePorts, kill, pause, start, until, whileRunning } from "./processes.mjs";

const host = "127.0.0.1";
const ownRoot = fileURLToPath(new URL("../..", import.meta.url));

/** Starts `size` members in directories `h0`, `h1`, … of `dir`; `nodeArgs` are Node's own options. */
export async function startAgency(
  dir,
  { size = 3, args = [], nodeArgs = [], root = ownRoot } = {},
) {
  const ports = await freePorts(size);
  const members = ports.map((port, at) => ({ name: `h${at}`, port, dir: join(dir, `h${at}`) }));
  const halond = join(root, "packages/cli/bin/halond.js");
  const startMember = ({ port, dir }) => {
    const joins = ports
      .filter((other) => other !== port)
      .flatMap((other) => ["--join", `${host}:${other}`]);
    return start(
      process.execPath,
      [
        ...[...nodeArgs, halond, "agency", "--listen", `${host}:${port}`, "--data-dir", dir],
        ...["--agency-size", String(size), "--log.level", "warn", ...joins, ...args],
      ],
      ["ignore", "ignore", "inherit"],
    );
  };
  for (const member of members) member.child = startMember(member);
  const leader = () => until("leader of the agency", () => findLeader(members));
  await whileRunning(
    members.map(({ child }) => child),
    leader(),
  );
  return {
    name: "halon",
    members,
    leader,
    restart: (member) => {
      member.child = startMember(member);
    },
    put,
    stop: (signal) => Promise.all(members.map(({ child }) => kill(child, signal))),
  };
}

/** What a member says of itself and of the others. */
export async function configOf({ port }) {
  const { text } = await fetchOnce({ host, port }, "/_api/agency/config", undefined, 2_000);
  return JSON.parse(text);
}

/** A member that says itself that it leads. */
async function findLeader(members) {
  for (const member of members) {
    const config = await configOf(member).catch(() => undefined);
    if (config?.leaderId && config.leaderId === config.configuration.id) return member;
  }
  return undefined;
}

/** Resolves when all members have the same commit index. */
export async function settled(members) {
  await until("agreement of the members", async () => {
    const indexes = await Promise.all(members.map(async (m) => (await configOf(m)).commitIndex));
    return indexes.every((index) => index === indexes[0]) || undefined;
  });
  await pause(100);
}

/** One write through this member, redirected to the leader when it names one. */
async function put(member, timeoutMs) {
  const body = '[[{"/failover":{"op":"set","new":1}}]]';
  const path = "/_api/agency/write";
  const first = await fetchOnce({ host, port: member.port }, path, body, timeoutMs);
  if (first.status !== 307) return first.status === 200;
  const to = new URL(/\r\nlocation: *(\S+)/i.exec(first.headers)?.[1] ?? "");
  const second = await fetchOnce(
    { host: to.hostname, port: Number(to.port) },
    path,
    body,
    timeoutMs,
  );
  return second.status === 200;
}

/** Sends one request that must be answered 200; gives the text of the answer. */
export async function ask(member, path, body, timeoutMs = 30_000) {
  const { status, text } = await fetchOnce({ host, port: member.port }, path, body, timeoutMs);
  if (status !== 200) throw new Error(`${path} answered ${status} ${text.slice(0, 200)}`);
  return text;
}
