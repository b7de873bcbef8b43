import { resolve } from "node:path";
import { isLoopback } from "@halon/api/listen";
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

/** Where a node listens that is told nothing. */
export const defaultListen = "127.0.0.1:8528";

/** The port of a node where none is said. */
export const defaultPort = 8528;

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"];

/** The address to listen on; one that other machines reach must be asked for. */
export function listened(raw: RawSettings): NonNullable<NodeOptions["listen"]> {
  const listen = address("--listen", raw.listen ?? defaultListen);
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

/**
 * The addresses of `--join`, of several options or separated by commas, each once.
 *
 * `port` is filled in where none is said; without it a port must be said.
 */
export function joined(given: readonly string[], port?: number): readonly string[] {
  const hostAlone = /^([A-Za-z0-9.-]+|\[[^\]]*\])$/;
  const addresses = given
    .flatMap((text) => text.split(","))
    .map((text) => {
      const isAlone = port !== undefined && hostAlone.test(text);
      return addressText("--join", isAlone ? `${text}:${port}` : text);
    });
  return [...new Set(addresses)];
}

/** The address of another node as all nodes write it: they are compared as text. */
function addressText(option: string, given: string): string {
  const { host, port } = address(option, given);
  if (port === 0) throw usage(`Expected ${option} to name the port of a node, got ${given}.`);
  return `${host.includes(":") ? `[${host}]` : host}:${port}`.toLowerCase();
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

/** How others reach the node; undefined: at the listen address, which `listenHost` must then tell. */
export function advertised(
  given: string | undefined,
  listenHost: string | undefined,
): string | undefined {
  if (given !== undefined) return addressText("--advertise", given);
  if (listenHost === undefined || !isWildcard(listenHost)) return undefined;
  throw usage(
    `Nobody can be sent to ${listenHost}. Say with --advertise HOST:PORT how other nodes reach this one.`,
  );
}

/** Whether the host stands for all addresses of the machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
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
