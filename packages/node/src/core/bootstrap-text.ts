import type { ClusterConfig } from "@halon/protocol";
import { missingNodes } from "./bootstrap.ts";
import { addressOf, hostPort, type Setup } from "./bootstrap-setup.ts";

/** What a master says while nodes are missing: how many, and what to type where. `isLoopback` is of its host. */
export function masterText(setup: Setup, config: ClusterConfig, isLoopback: boolean): string {
  const first = missingText(config);
  // The launcher starts the others.
  if (setup.local !== null) return `${first}.`;
  const address = addressOf(setup);
  const join = (setup.join.length === 0 ? [address] : setup.join).join(",");
  const port = setup.listen.port;
  const command = isLoopback
    ? `halond start --name <name> --data-dir <dir> --listen ${hostPort({ ...setup.listen, port: 0 })} --join ${join}`
    : `halond start --listen <address>:${port} --insecure --join ${join}`;
  const where = isLoopback
    ? `It listens on loopback only, so the others are on this machine:`
    : "On the other machines:";
  const alone = config.peers.length === 1 ? "\nTo run alone: halond start --agency-size 1" : "";
  return `${first}. ${where}\n  ${command}${alone}`;
}

/** How many nodes are missing, and how many are wanted. */
export function missingText(config: ClusterConfig): string {
  const missing = missingNodes(config);
  const there = config.agencySize - missing;
  return `waiting for ${missing} more ${missing === 1 ? "node" : "nodes"} (${there} of ${config.agencySize})`;
}
