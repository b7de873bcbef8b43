import { resolve } from "node:path";
import { isLoopback } from "@halon/api";
import { Name } from "@halon/protocol";
import { usage } from "../failure.ts";
import type { NodeOptions } from "./run.ts";
import type { RawSettings } from "./settings.ts";

/** What the settings do not say. */
export interface Surroundings {
  readonly hostname: string;
  readonly directory: string;
  readonly isTerminal: boolean;
}

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"];

/** The address to listen on; one that other machines reach must be asked for. */
export function listened(raw: RawSettings): NodeOptions["listen"] {
  const listen = address("--listen", raw.listen ?? "127.0.0.1:8528");
  if (isLoopback(listen.host) || raw.insecure === true) return listen;
  throw usage(
    `--listen ${raw.listen} can be reached by other machines, and there is no authentication yet: who reaches it runs the cluster. Listen on 127.0.0.1, or say --insecure if the network is safe.`,
  );
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

/** The addresses of `--join`, of several options or separated by commas. */
export function joined(given: readonly string[]): readonly string[] {
  const addresses = given.flatMap((text) => text.split(","));
  for (const text of addresses) {
    if (address("--join", text).port === 0) {
      throw usage(`Expected --join to name the port of a node, got ${text}.`);
    }
  }
  return addresses;
}

/** The name of a node, made of the host's when none is given. */
export function nameOf(given: string | undefined, hostname: string): string {
  if (given === undefined) {
    const derived = (hostname.split(".")[0] ?? "").toLowerCase().replace(/[^a-z0-9-]+/g, "-");
    return Name.safeParse(derived).data ?? "node-1";
  }
  if (Name.safeParse(given).success) return given;
  throw usage(
    `Expected --name to be of a-z, 0-9 and -, at most 63 characters, got ${JSON.stringify(given.slice(0, 100))}.`,
  );
}

/** How others reach the node; undefined: at the listen address. */
export function advertised(
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

/** Where the log goes, and how much of it. */
export function logged(raw: RawSettings, around: Surroundings): NodeOptions["log"] {
  return {
    level: oneOf("--log.level", raw.logLevel ?? "info", logLevels),
    format: oneOf("--log.format", raw.logFormat ?? (around.isTerminal ? "pretty" : "json"), [
      "json",
      "pretty",
    ] as const),
    file: raw.logFile === undefined ? undefined : resolve(around.directory, raw.logFile),
  };
}

function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw usage(`Expected ${option} to be ${allowed.join(", ")}, got ${JSON.stringify(value)}.`);
}
