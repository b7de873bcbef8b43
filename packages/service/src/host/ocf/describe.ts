import { spawn } from "node:child_process";
import type { JsonSchema } from "@halon/protocol";
import { type Agent, agentEnvironment, findAgent, loadError } from "./agent.ts";
import { meaningOf } from "./codes.ts";

const deadlineMs = 10_000;
const outputBytesMax = 1_048_576;
const errorBytesMax = 2_048;
/** What a child of the agent may still write after the agent has ended. */
const restMs = 500;

/** What an OCF resource agent says of itself in its meta-data. */
export interface AgentDescription {
  readonly version: string;
  readonly description: string;
  /**
   * Its parameters as a schema of configurations; unknown fields are refused.
   *
   * Defaults stand in the descriptions only: they can depend on the node and the resource, and the agent fills them in
   * itself. `x-reloadable` marks a parameter that can change while the resource runs.
   */
  readonly configurationSchema: JsonSchema;
  /** Its actions by name, as the meta-data advise; an action without a timeout has 20 s. */
  readonly actions: Readonly<
    Record<string, { readonly timeoutMs: number; readonly intervalMs?: number }>
  >;
}

/**
 * Asks an OCF resource agent of this machine, such as `ocf:heartbeat:Dummy`, for its meta-data.
 *
 * Runs `<agent> meta-data` for at most 10 s. Throws HAL_SERVICE_LOAD when there is no such agent, it cannot be run, or what it
 * writes is not meta-data.
 */
export async function describeAgent(agent: string): Promise<AgentDescription> {
  const found = findAgent(agent);
  const xml = await readMetaData(found);
  // Loaded here only: a node that describes nothing needs no parser.
  const { parseMetaData } = await import("./meta-data.ts");
  return parseMetaData(xml, found.name);
}

function readMetaData(agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(agent.path, ["meta-data"], {
      cwd: "/",
      env: { ...agentEnvironment(agent), OCF_RESOURCE_INSTANCE: "SERVICE" },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let said = "";
    let rest: NodeJS.Timeout | undefined;
    let closed = false;
    const late = setTimeout(
      () => fail(`${agent.name} did not write its meta-data within ${deadlineMs / 1_000} s`),
      deadlineMs,
    );
    const close = () => {
      if (closed) return;
      closed = true;
      clearTimeout(late);
      clearTimeout(rest);
      child.stdout.destroy();
      child.stderr.destroy();
      if (child.pid !== undefined) endGroupOf(child.pid);
    };
    const fail = (reason: string) => {
      close();
      reject(loadError(`${reason}${said.trim() === "" ? "" : `; it wrote: ${said.trim()}`}`));
    };
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > outputBytesMax) fail(`${agent.name} writes more than 1 MiB of meta-data`);
      else chunks.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-errorBytesMax);
    });
    child.once("error", (error) => fail(`${agent.name} cannot be run: ${error.message}`));
    child.once("exit", (code, signal) => {
      const finish = () => {
        if (code !== 0) fail(`${agent.name} meta-data ${endOf(code, signal)}`);
        close();
        // Without effect when it has failed before.
        resolve(Buffer.concat(chunks).toString("utf8"));
      };
      rest = setTimeout(finish, restMs);
      child.once("close", finish);
    });
  });
}

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (code === null) return `was ended by ${signal}`;
  return `returned ${code} (${meaningOf(code).word}), expected 0`;
}

/** Called while the group's leader is not reaped or has just been: the number is not another's. */
function endGroupOf(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: nothing of it is left.
  }
}
