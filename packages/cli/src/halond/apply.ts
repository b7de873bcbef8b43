import { setTimeout as delay } from "node:timers/promises";
import { type Client, createClient } from "@halon/api";
import { type ErrorCode, HalonError } from "@halon/protocol";
import type { CompiledCluster } from "@halon/service/host";
import { type Accepted, apply, compile, requireDone } from "../cluster-file.ts";
import { failureOf } from "../failure.ts";
import type { Io } from "../io.ts";

/** How long an `--apply` may take before it is reported as late; the cluster goes on with it. */
const applyMs = 120_000;
/** How long an `--apply` that meets a change of the leader is tried again, and how often. */
const againForMs = 60_000;
const againMs = 500;
/** What a cluster says while its leader changes; code that the last one had may have to be sent once more. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "HAL_NO_LEADER",
  "HAL_STORE_FENCED",
  "HAL_UNREACHABLE",
  "HAL_OVERLOADED",
  "HAL_TOO_MANY",
  "HAL_TIMEOUT",
  "HAL_BLOB_MISSING",
]);

/** Compiles the cluster files of `--apply`. */
export async function compileAll(files: readonly string[]): Promise<readonly CompiledCluster[]> {
  const clusters: CompiledCluster[] = [];
  for (const file of files) clusters.push(await compile(file, { prune: false }));
  return clusters;
}

/**
 * Applies one after the other; what passes by itself is tried again, which is harmless, as the cluster file says what is wanted.
 *
 * A failure is reported and the node goes on: what it says is in the log of the cluster, and can be repaired.
 */
export async function applyAll(
  endpoint: string,
  clusters: readonly CompiledCluster[],
  io: Io,
): Promise<void> {
  if (clusters.length === 0) return;
  const client = createClient({ endpoints: [endpoint], timeoutMs: 30_000 });
  try {
    for (const cluster of clusters)
      requireDone(await applyUntilTaken(client, cluster, io), applyMs);
  } catch (error) {
    io.err(failureOf("halond", error).text ?? "");
  } finally {
    await client.close();
  }
}

async function applyUntilTaken(
  client: Client,
  cluster: CompiledCluster,
  io: Io,
): Promise<Accepted> {
  const until = performance.now() + againForMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await apply(client, cluster, { wait: true, timeoutMs: applyMs });
    } catch (error) {
      const mayPass = error instanceof HalonError && passing.has(error.code);
      if (!mayPass || performance.now() > until) throw error;
      if (tries === 1) io.err(`halond: --apply is tried again: ${error.message}\n`);
      await delay(againMs);
    }
  }
}
