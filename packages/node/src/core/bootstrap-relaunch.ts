import { type AgencySize, Name } from "@halon/protocol";
import {
  addressOf,
  defaultPort,
  hostPort,
  isMaster,
  type Setup,
  type SetupOptions,
  setupFormat,
} from "./bootstrap-setup.ts";

/** What options and setup come to. */
export type SetupVerdict =
  | { readonly type: "setup"; readonly setup: Setup }
  | {
      readonly type: "refused";
      readonly code: "HAL_CONFLICT" | "HAL_USAGE";
      readonly message: string;
    };

/** The setup of a first start: what was not given gets its default. */
export function freshSetup(
  options: SetupOptions,
  around: { readonly id: string; readonly hostname: string; readonly now: number },
): SetupVerdict {
  const listen = options.listen ?? { host: "127.0.0.1", port: defaultPort };
  const { agencySize, join } = options;
  if (options.advertise === undefined && ["0.0.0.0", "::"].includes(listen.host)) {
    const message = `Nobody can be sent to ${listen.host}. Say with --advertise HOST:PORT how other nodes reach this one.`;
    return { type: "refused", code: "HAL_USAGE", message };
  }
  return {
    type: "setup",
    setup: {
      format: setupFormat,
      id: around.id,
      name: options.name ?? nameOfHost(around.hostname),
      listen,
      advertise: options.advertise ?? null,
      mode: modeOf(agencySize ?? null, join),
      phase: "joining",
      role: null,
      clusterId: null,
      agencySize: agencySize ?? null,
      store: options.store ?? null,
      peers: [],
      join: [...join],
      secretFile: null,
      local: options.local ?? null,
      incarnation: around.now,
    },
  };
}

/**
 * The setup of a start with what an earlier one left; `path` is shown.
 *
 * Options that were not given come from there; one that says something else is refused. Joins are of no account once
 * the cluster is complete. While nobody has joined, agency size and store may still be chosen.
 */
export function relaunched(setup: Setup, options: SetupOptions, path: string): SetupVerdict {
  const isFree = setup.phase === "joining" && setup.peers.length <= 1;
  const agencySize = isFree ? (options.agencySize ?? setup.agencySize) : setup.agencySize;
  const store = isFree ? (options.store ?? setup.store) : setup.store;
  const join =
    setup.phase === "complete" || options.join.length === 0 ? setup.join : [...options.join];
  const rows: readonly (readonly [option: string, given: unknown, kept: unknown])[] = [
    ["--name", options.name, setup.name],
    ["--listen", listenText(options, setup), hostPort(setup.listen)],
    ["--advertise", options.advertise, addressOf(setup)],
    ["--agency-size", options.agencySize, agencySize ?? options.agencySize],
    ["--store", options.store, store ?? options.store],
    ["--local-node", options.local, setup.local],
  ];
  const found = rows.find(([, given, kept]) => given !== undefined && given !== kept);
  if (found !== undefined) return conflict(path, ...found);
  if (isMaster(setup) && setup.phase === "joining" && !isMasterOf(join, setup)) {
    const kept = setup.join.length === 0 ? "no --join: it is the master" : setup.join.join(",");
    return conflict(path, "--join", join.join(","), kept);
  }
  const mode = setup.phase === "complete" ? setup.mode : modeOf(agencySize, join);
  return { type: "setup", setup: { ...setup, agencySize, store, join, mode } };
}

/** Whether the list is the one that made the node the master, or would. */
function isMasterOf(join: readonly string[], setup: Setup): boolean {
  if (join.length === 0 || smallestAddress(join) === addressOf(setup)) return true;
  // It may stand there under another name of its machine.
  const before = new Set(setup.join);
  return join.length === before.size && join.every((address) => before.has(address));
}

/** The address of the master among those that every machine is given; text order, so the same everywhere. */
export function smallestAddress(addresses: readonly string[]): string {
  return addresses.reduce((least, address) => (address < least ? address : least));
}

/** The name of a node that was given none. */
export function nameOfHost(hostname: string): string {
  const derived = (hostname.split(".")[0] ?? "").toLowerCase().replace(/[^a-z0-9-]+/g, "-");
  return Name.safeParse(derived).data ?? "node-1";
}

function modeOf(agencySize: AgencySize | null, join: readonly string[]): Setup["mode"] {
  return agencySize === 1 && join.length === 0 ? "single" : "cluster";
}

/** Port 0 asks for any, so also for the one that the node has. */
function listenText({ listen }: SetupOptions, setup: Setup): string | undefined {
  if (listen === undefined) return undefined;
  return hostPort(listen.port === 0 ? { ...listen, port: setup.listen.port } : listen);
}

function conflict(path: string, option: string, given: unknown, kept: unknown): SetupVerdict {
  const message = `${option} says ${given}, and ${path} says ${kept}. Leave the option out to start this node as it was; to begin afresh without its data, add --forget-setup.`;
  return { type: "refused", code: "HAL_CONFLICT", message };
}
