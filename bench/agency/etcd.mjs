// Three etcd members of Debian's package on loopback, with its defaults.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fetchOnce } from "./http1.mjs";
import { freePorts, kill, start, until, whileRunning } from "./processes.mjs";

const host = "127.0.0.1";
/** Only the quota is not the default: a long run would meet its 2 GiB. */
const quotaBytes = 8 * 1024 ** 3;

/** Version that is installed, or undefined. */
export function etcdVersion() {
  try {
    return /Version: (\S+)/.exec(execFileSync("etcd", ["--version"]).toString())?.[1];
  } catch {
    return undefined;
  }
}

export async function startEtcd(dir) {
  const ports = await freePorts(6);
  const members = [0, 1, 2].map((at) => ({ name: `m${at}`, port: ports[at], peer: ports[at + 3] }));
  const cluster = members.map(({ name, peer }) => `${name}=http://${host}:${peer}`).join();
  const startMember = ({ name, port, peer }) =>
    start("etcd", [
      ...["--name", name, "--data-dir", join(dir, name), "--log-level", "fatal"],
      ...["--listen-client-urls", `http://${host}:${port}`],
      ...["--advertise-client-urls", `http://${host}:${port}`],
      ...["--listen-peer-urls", `http://${host}:${peer}`],
      ...["--initial-advertise-peer-urls", `http://${host}:${peer}`],
      ...["--initial-cluster", cluster, "--quota-backend-bytes", String(quotaBytes)],
    ]);
  for (const member of members) member.child = startMember(member);
  const leader = () => until("leader of etcd", () => findLeader(members));
  await whileRunning(
    members.map(({ child }) => child),
    leader(),
  );
  return {
    name: "etcd",
    members,
    leader,
    restart: (member) => {
      member.child = startMember(member);
    },
    put: (member, timeoutMs) => put(member, timeoutMs),
    stop: (signal) => Promise.all(members.map(({ child }) => kill(child, signal))),
  };
}

/** A member that says itself that it leads. */
async function findLeader(members) {
  for (const member of members) {
    const answer = await fetchOnce(
      { host, port: member.port },
      "/v3/maintenance/status",
      "{}",
      2_000,
    )
      .then(({ text }) => JSON.parse(text))
      .catch(() => undefined);
    if (answer?.leader !== undefined && answer.leader === answer.header?.member_id) return member;
  }
  return undefined;
}

async function put(member, timeoutMs) {
  const body = '{"key":"ZmFpbG92ZXI=","value":"eA=="}';
  const { status } = await fetchOnce({ host, port: member.port }, "/v3/kv/put", body, timeoutMs);
  return status === 200;
}
