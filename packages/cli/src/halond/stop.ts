import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@halon/api";
import { HalonError } from "@halon/protocol";

const pollMs = 100;

export interface StopOptions {
  readonly endpoint: string;
  readonly keepServices: boolean;
  readonly timeoutMs: number;
}

/** Asks a node to stop and waits until nobody listens there. */
export async function stopNode({ endpoint, keepServices, timeoutMs }: StopOptions): Promise<void> {
  const client = createClient({ endpoints: [endpoint], timeoutMs: Math.min(timeoutMs, 5_000) });
  const end = performance.now() + timeoutMs;
  try {
    await client.shutdown({ keepServices });
    while (performance.now() < end) {
      if (!(await answers(client))) return;
      await delay(pollMs);
    }
  } finally {
    await client.close();
  }
  throw new HalonError(
    "HAL_TIMEOUT",
    `The node at ${endpoint} still answers after ${timeoutMs} ms. Allow more with --timeout, or look at its log.`,
  );
}

async function answers(client: ReturnType<typeof createClient>): Promise<boolean> {
  try {
    await client.version();
    return true;
  } catch (error) {
    // Only a refused connection means that it is gone: an error is still an answer.
    return !(error instanceof HalonError && error.code === "HAL_UNREACHABLE");
  }
}
