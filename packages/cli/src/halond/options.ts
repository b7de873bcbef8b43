import { resolve } from "node:path";
import { notBuilt, usage } from "../failure.ts";
import {
  advertised,
  joined,
  listened,
  logged,
  nameOf,
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

/** Checks the settings of `halond start`. Errors are `HAL_USAGE` or `HAL_NOT_BUILT`. */
export function startOptions(raw: RawSettings, around: Surroundings): StartOptions {
  checkStore(raw);
  const listen = listened(raw);
  const local = localCount(raw, listen.port);
  return {
    local,
    apply: (raw.apply ?? []).map((file) => resolve(around.directory, file)),
    node: {
      name: nameOf(raw.name, around.hostname),
      dataDir: resolve(around.directory, raw.dataDir ?? "halon-data"),
      listen,
      advertise: advertised(raw.advertise, listen.host, local),
      labels: labelsOf(raw.label ?? []),
      join: joinedOne(raw.join ?? []),
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

function checkStore({ store, agencySize }: RawSettings): void {
  if (store !== undefined && store !== "embedded") {
    if (!store.startsWith("etcd://")) {
      throw usage(
        `Expected --store to be embedded or etcd://HOST:PORT, got ${JSON.stringify(store)}.`,
      );
    }
    throw notBuilt("--store etcd", "Leave it out to use the embedded store.");
  }
  if (agencySize === undefined || agencySize === "1") return;
  if (!["3", "5", "7"].includes(agencySize)) {
    throw usage(
      `Expected --agency-size to be 1, 3, 5 or 7, got ${JSON.stringify(agencySize)}: an even number survives no more failures than the odd one below it.`,
    );
  }
  throw notBuilt(`--agency-size ${agencySize}`, "Use 1.");
}

function localCount(raw: RawSettings, port: number): number | undefined {
  if (raw.local === undefined) return undefined;
  const count = /^\d{1,3}$/.test(raw.local) ? Number(raw.local) : 0;
  if (count < 1 || count > localMax) {
    throw usage(`Expected --local to be 1 to ${localMax}, got ${JSON.stringify(raw.local)}.`);
  }
  for (const [option, value] of Object.entries({
    "--name": raw.name,
    "--join": raw.join,
    "--advertise": raw.advertise,
  })) {
    if (value !== undefined) {
      throw usage(`--local names and joins its nodes itself. Leave out ${option}.`);
    }
  }
  if (port !== 0 && port + (count - 1) * 10 > 65_535) {
    throw usage(`Port ${port} leaves no room for ${count} nodes, each 10 above the other.`);
  }
  return count;
}

/** Only one address, until several nodes can agree on who leads. */
function joinedOne(given: readonly string[]): readonly string[] {
  const addresses = joined(given);
  if (addresses.length <= 1) return addresses;
  throw notBuilt("--join with several addresses", "Name the tracking node only.");
}

function labelsOf(given: readonly string[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const text of given) {
    const match = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})=([^=]{0,63})$/.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw usage(`Expected --label to be KEY=VALUE such as zone=a, got ${JSON.stringify(text)}.`);
    }
    labels[match[1]] = match[2];
  }
  return labels;
}
