import { closeSync, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createRoamer } from "./http.mjs";

const clientCount = 8;
/** Between an acknowledgement and the next event: a run is to load the cluster, not to fill its disk. */
const paceMs = 10;
const retryMs = 40;
const requestTimeoutMs = 4_000;
/** After the end of the run, for the event that each client has begun. */
const lastEventMs = 30_000;
/** An acknowledgement that was on its way when the majority was lost has arrived by then. */
const underWayMs = 2_500;
const refusedForGood = new Set([400, 401, 403, 404, 405, 409, 413, 501]);

/**
 * Starts eight clients, each with its own node at first; each sends its events in order, the same id again, to one node
 * after the other, until it is acknowledged.
 */
export function startClients({ cluster, run, ledgerPath, violate }) {
  const ledger = openSync(ledgerPath, "a");
  const ports = cluster.nodeNames.map((name) => cluster.ports[name]);
  const seen = { acknowledged: 0, retries: 0, unacknowledged: 0 };
  const startedAt = performance.now();
  const outages = createOutages(cluster);
  let endBy = Number.POSITIVE_INFINITY;

  const acknowledge = (id, index) => {
    writeSync(ledger, `${id} ${index}\n`);
    if (outages.acknowledged() > underWayMs)
      violate(`event ${id} was acknowledged in record ${index} without a majority`);
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
    const asker = createRoamer(ports, { timeoutMs: requestTimeoutMs, first: client });
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
      const { apartMs, longestMs } = outages;
      endBy = performance.now() + lastEventMs;
      await Promise.all(loops);
      closeSync(ledger);
      const ratePerSecond = acknowledged / ((tookMs - apartMs) / 1_000);
      return { ...seen, apartMs, longestOutageMs: longestMs, ratePerSecond };
    },
  };
}

/**
 * Tells the time without acknowledgements that a lost majority explains from the time that is the cluster's fault. Where
 * there is one tracking node, none is explained.
 */
function createOutages(cluster) {
  const outages = { apartMs: 0, longestMs: 0, acknowledged };
  let lastAt = performance.now();
  /** Since when too few tracking nodes have answered, and since when too few have even run. */
  let undecidedAt;
  let lostAt;
  cluster.onMajority = () => {
    const now = performance.now();
    lostAt = cluster.hasMajority ? undefined : (lostAt ?? now);
    if (!cluster.canDecide && cluster.trackingNodes.length > 1) undecidedAt ??= now;
  };
  /** For how long there has been no majority at all, in ms; 0 while there is one. */
  function acknowledged() {
    const now = performance.now();
    if (undecidedAt === undefined) outages.longestMs = Math.max(outages.longestMs, now - lastAt);
    else if (cluster.canDecide) {
      outages.apartMs += now - undecidedAt;
      undecidedAt = undefined;
    }
    lastAt = now;
    return lostAt === undefined ? 0 : now - lostAt;
  }
  return outages;
}
