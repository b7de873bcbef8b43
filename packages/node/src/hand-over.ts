import { HalonError } from "@halon/protocol";

const timeoutMs = 5_000;

/** Asks the agency, through this node's own member, for another leader: the first of `members` that takes it. */
export async function handOver(endpoint: string, members: readonly string[]): Promise<void> {
  const reasons: string[] = [];
  for (const to of members) {
    const response = await fetch(`http://${endpoint}/v1/agency/transfer-leader`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ to }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return;
    reasons.push(`${to}: ${response.status}`);
  }
  const why = reasons.length === 0 ? "there is none" : reasons.join(", ");
  throw new HalonError("HAL_FAILED", `No other member took the leadership: ${why}.`);
}
