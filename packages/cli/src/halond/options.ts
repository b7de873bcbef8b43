import { resolve } from "node:path";
import { AgencySize, Name } from "@halon/protocol";
import { usage } from "../failure.ts";
import {
  advertised,
  defaultPort,
  isWildcard,
  joined,
  listened,
  logged,
  type Surroundings,
} from "./common-options.ts";
import type { NodeOptions } from "./run.ts";
import type { RawSettings } from "./settings.ts";

/** What `halond start` does, checked. */
export interface StartOptions {
  readonly node: NodeOptions;
  /** How many nodes to run on this machine as child processes; undefined: this process is the node. */
  readonly local: number | undefined;
  /** Absolute paths of cluster files. */
  readonly apply: readonly string[];
}

const localMax = 64;

/** Checks the settings of `halond start`; what is left out stays undefined. Errors are `HAL_USAGE`. */
export function startOptions(raw: RawSettings, around: Surroundings): StartOptions {
  const listen = raw.listen === undefined ? undefined : listened(raw);
  const agencySize = sizeOf(raw.agencySize);
  return {
    local: localCount(raw, listen, agencySize),
    apply: (raw.apply ?? []).map((file) => resolve(around.directory, file)),
    node: {
      name: nameGiven(raw.name),
      dataDir: resolve(around.directory, raw.dataDir ?? "halon-data"),
      listen,
      advertise: advertised(raw.advertise, undefined),
      labels: labelsOf(raw.label ?? []),
      allowRun: raw.allowRun === undefined ? undefined : resolve(around.directory, raw.allowRun),
      join: joined(raw.join ?? [], defaultPort),
      agencySize,
      local: numberWithin("--local-node", raw.localNode),
      store: storeOf(raw.store),
      forgetSetup: raw.forgetSetup ?? false,
      insecure: raw.insecure ?? false,
      log: logged(raw, around),
    },
  };
}

/** Tells arguments that hold a secret: every process of the machine can read them. */
export function refuseSecrets(argv: readonly string[]): void {
  const found = argv.find((argument) =>
    /^--(auth\.)?(secret|token|password|jwt-secret)(=|$)/.test(argument),
  );
  if (found === undefined) return;
  throw usage(
    `${found.split("=")[0]} would show the secret to every process of this machine. Put it in a file that only you can read and name the file.`,
  );
}

function nameGiven(given: string | undefined): string | undefined {
  if (given === undefined || Name.safeParse(given).success) return given;
  throw usage(
    `Expected --name to be of a-z, 0-9 and -, at most 63 characters, got ${JSON.stringify(given.slice(0, 100))}.`,
  );
}

function storeOf(store: string | undefined): string | undefined {
  if (store === undefined || store === "embedded") return store;
  if (store.includes("@")) {
    throw usage(
      "--store must not hold credentials: every process of this machine can read them. Leave out what stands before the @.",
    );
  }
  if (/^etcd:\/\/[^,/?#\s]+(,[^,/?#\s]+)*(\/[A-Za-z0-9._/-]*)?$/.test(store)) return store;
  throw usage(
    `Expected --store to be embedded or etcd://HOST:PORT[,HOST:PORT], got ${JSON.stringify(store.slice(0, 200))}.`,
  );
}

function sizeOf(given: string | undefined): AgencySize | undefined {
  if (given === undefined) return undefined;
  const size = /^\d$/.test(given) ? AgencySize.safeParse(Number(given)).data : undefined;
  if (size !== undefined) return size;
  throw usage(
    `Expected --agency-size to be 1, 3, 5 or 7, got ${JSON.stringify(given)}: an even number survives no more failures than the odd one below it.`,
  );
}

function localCount(
  raw: RawSettings,
  listen: NodeOptions["listen"],
  agencySize: AgencySize | undefined,
): number | undefined {
  const count = numberWithin("--local", raw.local);
  if (count === undefined) return undefined;
  for (const [option, value] of Object.entries({
    "--name": raw.name,
    "--join": raw.join,
    "--advertise": raw.advertise,
  })) {
    if (value !== undefined) {
      throw usage(`--local names and joins its nodes itself. Leave out ${option}.`);
    }
  }
  const { host, port } = listen ?? { host: "", port: defaultPort };
  if (port !== 0 && port + (count - 1) * 10 > 65_535) {
    throw usage(`Port ${port} leaves no room for ${count} nodes, each 10 above the other.`);
  }
  if (port === 0 && isWildcard(host)) {
    throw usage(`Expected --listen ${host} to name a port: the nodes must know each other's.`);
  }
  if (agencySize !== undefined && agencySize > count) {
    throw usage(
      `--local ${count} has too few nodes for --agency-size ${agencySize}: the cluster would never be complete.`,
    );
  }
  return count;
}

function numberWithin(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const count = /^\d{1,3}$/.test(given) ? Number(given) : 0;
  if (count >= 1 && count <= localMax) return count;
  throw usage(`Expected ${option} to be 1 to ${localMax}, got ${JSON.stringify(given)}.`);
}

function labelsOf(given: readonly string[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const text of given) {
    const match = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})=([^=]{0,63})$/.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw usage(`Expected --label to be KEY=VALUE such as zone=a, got ${JSON.stringify(text)}.`);
    }
    if (Object.hasOwn(labels, match[1])) {
      throw usage(`--label ${match[1]} is given twice, at last as ${JSON.stringify(text)}.`);
    }
    labels[match[1]] = match[2];
  }
  return labels;
}
