import type { Client } from "@halon/api";
import { HalonError } from "@halon/protocol";
import type { CompiledCluster } from "@halon/service/host";

/** Compiles a cluster file and the service and rule files that it names. */
export async function compile(
  path: string,
  options: { readonly prune: boolean },
): Promise<CompiledCluster> {
  // The compiler is large, and most commands do without it.
  return (await import("@halon/service/host")).compileClusterFile(path, options);
}

export interface ApplyOptions {
  readonly reason?: string | undefined;
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/** What an operation looks like when it has been accepted. */
export type Accepted = Awaited<ReturnType<Client["apply"]>>;

/** Sends the code that the cluster lacks, then the cluster file. */
export async function apply(
  client: Client,
  { spec, blobs }: CompiledCluster,
  { reason, wait, timeoutMs }: ApplyOptions,
): Promise<Accepted> {
  await client.sendBlobs(blobs);
  return client.apply(spec, reason, { wait, timeoutMs });
}

/** Throws unless the operation ended well. */
export function requireDone(operation: Accepted, timeoutMs: number): void {
  const name = `${operation.action ?? "Operation"} ${operation.target ?? operation.operation}`;
  if (operation.state === "done") return;
  if (operation.state === "failed") {
    throw new HalonError("HAL_FAILED", `${name} failed: ${operation.reason ?? "no reason given"}`);
  }
  const waiting = operation.waiting.slice(0, 5).join(", ");
  throw new HalonError(
    "HAL_TIMEOUT",
    `${name} goes on after ${timeoutMs} ms${waiting === "" ? "" : `, waiting for ${waiting}`}. See \`halonctl status\`, or allow more with --timeout.`,
  );
}
