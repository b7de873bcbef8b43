import { closeSync, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createAsker } from "./http.mjs";

const clientCount = 8;
/** Between an acknowledgement and the next event: a run is to load the cluster, not to fill its disk. */
const paceMs = 10;
const retryMs = 40;
const requestTimeoutMs = 4_000;
/** After the end of the run, for the event that each client has begun. */
const lastEventMs = 30_000;
const refusedForGood = new Set([400, 401, 403, 404, 405, 409, 413, 501]);

/** Starts eight clients; each sends its events in order, the same id again until it is acknowledged. */
export function startClients({ port, run, ledgerPath, violate }) {
  const ledger = openSync(ledgerPath, "a");
  const seen = { acknowledged: 0, retries: 0, unacknowledged: 0, lastAt: performance.now() };
  const startedAt = performance.now();
  let longestOutageMs = 0;
  let endBy = Number.POSITIVE_INFINITY;

  const acknowledge = (id, index) => {
    writeSync(ledger, `${id} ${index}\n`);
    const now = performance.now();
    longestOutageMs = Math.max(longestOutageMs, now - seen.lastAt);
    seen.lastAt = now;
    seen.acknowledged += 1;
  };

  const send = async (asker, event) => {
    while (performance.now() < endBy) {
      try {
        const { status, body } = await asker.post("/v1/events", event);
        if (status === 200) return acknowledge(event.id, body.index);
        if (refusedForGood.has(status)) {
          violate(`event ${event.id} was refused with ${status}: ${JSON.stringify(body)}`);
          return undefined;
        }
      } catch {
        // Whether it was taken is unknown: the same id asks again.
      }
      seen.retries += 1;
      await delay(retryMs);
    }
    seen.unacknowledged += 1;
    return undefined;
  };

  const loop = async (client) => {
    const asker = createAsker(port, { timeoutMs: requestTimeoutMs });
    for (let n = 1; endBy === Number.POSITIVE_INFINITY; n += 1) {
      await send(asker, { id: `${run}-${client}-${n}`, type: "Mark", data: { client, n } });
      await delay(paceMs);
    }
    asker.close();
  };
  const loops = Array.from({ length: clientCount }, (_, client) => loop(client));

  return {
    /** Lets each client end its event, and gives the figures. */
    async stop() {
      const tookMs = performance.now() - startedAt;
      const { acknowledged } = seen;
      endBy = performance.now() + lastEventMs;
      await Promise.all(loops);
      closeSync(ledger);
      return { ...seen, longestOutageMs, ratePerSecond: acknowledged / (tookMs / 1_000) };
    },
  };
}
