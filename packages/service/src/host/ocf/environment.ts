import { createHash } from "node:crypto";
import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Json, JsonObject } from "@halon/protocol";
import { bootId } from "../process/proc.ts";
import { type Agent, agentEnvironment } from "./agent.ts";
import { ocfHomeMark, ocfServiceMark, type ResourcePlace } from "./processes.ts";

/** Where agents keep what must not outlive the machine's start. */
const runDirectory = "/run/resource-agents";

/** What one call is about. */
export interface CallAbout {
  readonly action: string;
  readonly timeoutMs: number;
  /** 0 for everything but the monitor that is repeated: so agents know a probe. */
  readonly intervalMs: number;
  /** Further meta attributes, without `OCF_RESKEY_CRM_meta_`. */
  readonly meta?: Readonly<Record<string, string>>;
}

export interface Resource {
  readonly agent: Agent;
  readonly place: ResourcePlace;
  readonly node: string;
  /** With the values of its secrets. */
  readonly values: JsonObject;
  readonly scratch: string;
}

/**
 * The environment of a call. The resource is named after its service, not its instance: agents keep state under the
 * name, and the next incarnation has to find it.
 */
export function environmentOf(resource: Resource, about: CallAbout): Record<string, string> {
  const { agent, place, node, values, scratch } = resource;
  const meta: Record<string, string> = {
    name: about.action,
    timeout: String(about.timeoutMs),
    interval: String(about.intervalMs),
    on_node: node,
    ...about.meta,
  };
  const env: Record<string, string> = {
    ...agentEnvironment(agent),
    OCF_RESOURCE_INSTANCE: place.service,
    HA_RSCTMP: scratch,
    [ocfHomeMark]: place.home,
    [ocfServiceMark]: place.service,
  };
  for (const [name, value] of Object.entries(values)) {
    // A parameter that is not set is left out: the agent then takes its default, which can depend on the node.
    if (value !== null && value !== undefined) env[`OCF_RESKEY_${name}`] = textOf(value);
  }
  for (const [name, value] of Object.entries(meta)) env[`OCF_RESKEY_CRM_meta_${name}`] = value;
  return env;
}

/**
 * A directory for the state of agents, cleared by a new start of the machine: below `/run/resource-agents` where it can be made, else in
 * the service's directory. Its name holds the services directory, so that two nodes on one machine do not share it.
 */
export function makeScratch({ home, directory }: ResourcePlace): string {
  const id = createHash("sha256").update(`${home}\0${bootId()}`).digest("hex").slice(0, 12);
  const shared = join(runDirectory, `halon-${id}`);
  try {
    // Open to read: agents run programs as other users.
    mkdirSync(shared, { recursive: true, mode: 0o755 });
    return shared;
  } catch {
    const own = join(directory, `ocf-${id}`);
    mkdirSync(own, { recursive: true, mode: 0o755 });
    return own;
  }
}

/** Takes the directory away when nothing is left in it. */
export function dropScratch(scratch: string): void {
  try {
    rmdirSync(scratch);
  } catch {
    // Another resource still uses it, or an agent left something there; it goes with the machine's next start.
  }
}

/** What agents of promotable resources are told about the only instance that is here. */
export function promotionMeta(
  { place, node }: Pick<Resource, "place" | "node">,
  notify: { readonly type: string; readonly operation: string } | undefined,
): Record<string, string> {
  const meta: Record<string, string> = {
    promotable: "true",
    clone_max: "1",
    clone_node_max: "1",
    promoted_max: "1",
    master_max: "1",
  };
  if (notify === undefined) return meta;
  meta["notify"] = "true";
  meta["notify_type"] = notify.type;
  meta["notify_operation"] = notify.operation;
  for (const set of [
    "start",
    "stop",
    "promote",
    "demote",
    "active",
    "promoted",
    "master",
    "slave",
  ]) {
    const isMember = set === "active" || set === notify.operation;
    meta[`notify_${set}_resource`] = isMember ? place.service : "";
    meta[`notify_${set}_uname`] = isMember ? node : "";
  }
  return meta;
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
