import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts, host, temporaryDirectory, waitFor } from "../../e2e/cluster.ts";

/** Whether there is an etcd to test with. */
export const hasEtcd = spawnSync("etcd", ["--version"]).status === 0;
/** For the name of a suite: says what is missing where it is skipped. */
export const etcdNotice = hasEtcd ? "" : " (skipped: no etcd here; apt-get install etcd-server)";

/** One member, a process of its own. */
export interface EtcdMember {
  /** `host:port` for clients. */
  readonly endpoint: string;
  readonly dataDir: string;
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when every thread of it stands still; `SIGCONT` ends that. */
  pause(): Promise<void>;
  /** Resolves when the process is gone. */
  kill(): Promise<void>;
}

export interface Etcd {
  readonly members: readonly EtcdMember[];
  /** `etcd://host:port[,…]/` and the prefix. */
  url(prefix: string): string;
  /** Asks the gateway of the first that answers. */
  post(path: string, body: object): Promise<Record<string, unknown>>;
}

/** Starts members of one cluster on free ports; `cleanUp` of the e2e tests ends them. */
export async function startEtcd(count: number, flags: readonly string[] = []): Promise<Etcd> {
  const directory = temporaryDirectory();
  const ports = await freePorts(count * 2);
  const plans = Array.from({ length: count }, (_, at) => ({
    name: `m${at}`,
    client: `${host}:${ports[at * 2]}`,
    peer: `http://${host}:${ports[at * 2 + 1]}`,
    dataDir: join(directory, `m${at}`),
  }));
  const initial = plans.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const members = plans.map((plan) =>
    memberOf(plan.client, plan.dataDir, [
      ...["--name", plan.name, "--data-dir", plan.dataDir, "--logger", "zap"],
      ...["--listen-client-urls", `http://${plan.client}`],
      ...["--advertise-client-urls", `http://${plan.client}`],
      ...["--listen-peer-urls", plan.peer, "--initial-advertise-peer-urls", plan.peer],
      ...["--initial-cluster", initial, "--log-level", "error", ...flags],
    ]),
  );
  await Promise.all(members.map((member) => member.start()));
  const endpoints = members.map(({ endpoint }) => endpoint);
  return {
    members,
    url: (prefix) => `etcd://${endpoints.join(",")}/${prefix}`,
    async post(path, body) {
      let failed: unknown;
      for (const endpoint of endpoints) {
        try {
          return await post(endpoint, path, body);
        } catch (error) {
          failed = error;
        }
      }
      throw failed;
    },
  };
}

/** The member that leads, by its place in the list. */
export async function leaderOf({ members }: Etcd): Promise<EtcdMember> {
  for (const member of members) {
    const { leader, header } = await post(member.endpoint, "maintenance/status", {});
    if (leader === (header as { member_id: string }).member_id) return member;
  }
  throw new Error("no member of etcd leads");
}

function memberOf(endpoint: string, dataDir: string, flags: readonly string[]): EtcdMember {
  let child: ChildProcess | undefined;
  return {
    endpoint,
    dataDir,
    async start() {
      child = spawn("etcd", flags, { stdio: "ignore" });
      await waitFor(`etcd at ${endpoint} to be healthy`, () => isHealthy(endpoint));
    },
    signal(signal) {
      child?.kill(signal);
    },
    async pause() {
      child?.kill("SIGSTOP");
      await waitFor(`etcd at ${endpoint} to stand still`, () =>
        / T /.test(readFileSync(`/proc/${child?.pid}/stat`, "utf8")),
      );
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(2_000);
    const response = await fetch(`http://${endpoint}/health`, { signal });
    return response.ok;
  } catch {
    return false;
  }
}

async function post(
  endpoint: string,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const signal = AbortSignal.timeout(5_000);
  const init = { method: "POST", body: JSON.stringify(body), signal };
  const response = await fetch(`http://${endpoint}/v3/${path}`, init);
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`etcd answered ${path}: ${JSON.stringify(answer)}`);
  return answer;
}
