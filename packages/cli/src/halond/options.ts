import { resolve } from "node:path";
import { isLoopback } from "@halon/api";
import { Name } from "@halon/protocol";

import { notBuilt, usage } from "../failure.ts";
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

export interface Surroundings {
  readonly hostname: string;
  readonly directory: string;
  readonly isTerminal: boolean;
}

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"];
const localMax = 64;

/** Checks the settings of `halond start`. Errors are `HAL_USAGE` or `HAL_NOT_BUILT`. */
export function startOptions(raw: RawSettings, around: Surroundings): StartOptions {
  checkStore(raw);
  const listen = address("--listen", raw.listen ?? "127.0.0.1:8528");
  const isInsecure = raw.insecure ?? false;
  if (!isLoopback(listen.host) && !isInsecure) {
    throw usage(
      `--listen ${raw.listen} can be reached by other machines, and there is no authentication yet: who reaches it runs the cluster. Listen on 127.0.0.1, or say --insecure if the network is safe.`,
    );
  }
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
      join: joined(raw.join ?? []),
      insecure: isInsecure,
      log: {
        level: oneOf("--log.level", raw.logLevel ?? "info", logLevels),
        format: oneOf("--log.format", raw.logFormat ?? (around.isTerminal ? "pretty" : "json"), [
          "json",
          "pretty",
        ] as const),
        file: raw.logFile === undefined ? undefined : resolve(around.directory, raw.logFile),
      },
    },
  };
}

/** Splits `HOST:PORT`; an IPv6 address stands in brackets. */
export function address(
  option: string,
  text: string,
): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  const host = match?.[1];
  if (host === undefined || port > 65_535) {
    throw usage(
      `Expected ${option} to be HOST:PORT with a port of 0 to 65535, such as 127.0.0.1:8528, got ${JSON.stringify(text.slice(0, 200))}.`,
    );
  }
  return { host: host.replace(/^\[|\]$/g, ""), port };
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

function nameOf(given: string | undefined, hostname: string): string {
  if (given === undefined) {
    const derived = (hostname.split(".")[0] ?? "").toLowerCase().replace(/[^a-z0-9-]+/g, "-");
    return Name.safeParse(derived).data ?? "node-1";
  }
  if (Name.safeParse(given).success) return given;
  throw usage(
    `Expected --name to be of a-z, 0-9 and -, at most 63 characters, got ${JSON.stringify(given.slice(0, 100))}.`,
  );
}

function advertised(
  given: string | undefined,
  listenHost: string,
  local: number | undefined,
): string | undefined {
  if (given === undefined) {
    if (!["0.0.0.0", "::"].includes(listenHost) || local !== undefined) return undefined;
    throw usage(
      `Nobody can be sent to ${listenHost}. Say with --advertise HOST:PORT how other nodes reach this one.`,
    );
  }
  if (address("--advertise", given).port !== 0) return given;
  throw usage(`Expected --advertise to name a port that others can reach, got ${given}.`);
}

function joined(given: readonly string[]): readonly string[] {
  const addresses = given.flatMap((text) => text.split(","));
  for (const text of addresses) {
    if (address("--join", text).port === 0) {
      throw usage(`Expected --join to name the port of a node, got ${text}.`);
    }
  }
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

function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw usage(`Expected ${option} to be ${allowed.join(", ")}, got ${JSON.stringify(value)}.`);
}
