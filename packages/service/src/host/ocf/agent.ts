import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";
import { inheritedEnvironment } from "../process/environment.ts";

/** Where the agents of Debian, SUSE and Red Hat stand. */
const defaultRoot = "/usr/lib/ocf";
/** Agents call programs of administration, which a daemon's PATH may lack. */
const programPaths = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];
const nearMax = 3;

/** A resource agent of this machine. */
export interface Agent {
  /** `ocf:<provider>:<type>`. */
  readonly name: string;
  readonly provider: string;
  readonly type: string;
  readonly root: string;
  /** The program. */
  readonly path: string;
}

/** Finds an agent below `HALON_OCF_ROOT` or `/usr/lib/ocf`. Throws HAL_SERVICE_LOAD when there is none that can be run. */
export function findAgent(name: string): Agent {
  const [scheme, provider = "", type = "", ...rest] = name.split(":");
  // A leading dot would lead out of the directory of agents.
  const isName = (part: string) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(part);
  if (scheme !== "ocf" || !isName(provider) || !isName(type) || rest.length > 0) {
    throw loadError(
      `${JSON.stringify(name.slice(0, 200))} is no resource agent; write ocf:<provider>:<agent>, such as ocf:heartbeat:Dummy`,
    );
  }
  const root = process.env["HALON_OCF_ROOT"] ?? defaultRoot;
  const path = join(root, "resource.d", provider, type);
  if (!(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)) {
    throw loadError(missing(name, { root, provider, type }));
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw loadError(
      `${name} may not be run: ${path} is not executable for this user; run chmod +x`,
    );
  }
  return { name, provider, type, root, path };
}

/** What every call of an agent gets, whatever it is asked to do. */
export function agentEnvironment(agent: Agent): Record<string, string> {
  const inherited = inheritedEnvironment();
  const paths = [...(inherited["PATH"] ?? "").split(":"), ...programPaths].filter(Boolean);
  return {
    ...inherited,
    PATH: [...new Set(paths)].join(":"),
    OCF_ROOT: agent.root,
    OCF_RA_VERSION_MAJOR: "1",
    OCF_RA_VERSION_MINOR: "1",
    OCF_RESOURCE_TYPE: agent.type,
    OCF_RESOURCE_PROVIDER: agent.provider,
    // Its log goes where its other output goes; nothing of it belongs into the log of the machine.
    HA_LOGFACILITY: "none",
    HA_debug: "0",
  };
}

/** An error about an agent that cannot be used. */
export function loadError(message: string, cause?: unknown): HalonError {
  return new HalonError("HAL_SERVICE_LOAD", message, { cause });
}

function missing(name: string, at: Pick<Agent, "root" | "provider" | "type">): string {
  const near = nearest(at);
  const hint = near.length === 0 ? "" : ` Near to it: ${near.join(", ")}.`;
  return `there is no resource agent ${name} below ${at.root}/resource.d.${hint} Debian has the agents of heartbeat in the package resource-agents; HALON_OCF_ROOT names another place.`;
}

/** Names of agents that a person may have meant. */
function nearest({ root, provider, type }: Pick<Agent, "root" | "provider" | "type">): string[] {
  const directory = join(root, "resource.d");
  const candidates = listOf(directory).flatMap((one) =>
    listOf(join(directory, one)).map((agent) => ({
      name: `ocf:${one}:${agent}`,
      distance: distance(type.toLowerCase(), agent.toLowerCase()) + (one === provider ? 0 : 1),
    })),
  );
  return candidates
    .filter((candidate) => candidate.distance <= Math.max(2, Math.floor(type.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, nearMax)
    .map((candidate) => candidate.name);
}

function listOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith("."));
  } catch {
    return []; // Nothing is installed there, which the error says already.
  }
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
