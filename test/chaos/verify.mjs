import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const pageSize = 1_000;
/** A node that was just started fetches what its journal lacks from the others. */
const sameMs = 20_000;

/**
 * Reads the whole history through the API of every tracking node: it is one, and in itself as it must be. Leaves it in
 * `history.ndjson` for whoever looks into a run that failed.
 */
export async function readHistory({ cluster, violate }) {
  const history = { marks: new Map(), perClient: new Map(), operationEnds: new Map(), events: 0 };
  let last = { index: 0, position: 0 };
  let after = "0";
  for (;;) {
    const page = await readPage(cluster, `/v1/events?after=${after}&limit=${pageSize}`, violate);
    if (page.length === 0) return history;
    const lines = page.map((entry) => `${JSON.stringify(entry)}\n`);
    appendFileSync(join(cluster.directory, "history.ndjson"), lines.join(""));
    for (const entry of page) {
      const follows =
        entry.index === last.index
          ? entry.position === last.position + 1
          : entry.index === last.index + 1 && entry.position === 0;
      if (!follows)
        violate(
          `the history goes from ${last.index}.${last.position} to ${entry.index}.${entry.position}`,
        );
      last = entry;
      take(history, entry, violate);
    }
    after = `${last.index}.${last.position}`;
  }
}

/** The page as the first tracking node has it; that the others have the same is checked. */
async function readPage(cluster, path, violate) {
  const deadline = performance.now() + sameMs;
  for (;;) {
    const pages = await Promise.all(
      cluster.trackingNodes.map((name) => askPage(cluster.asker(name), path)),
    );
    const [first, ...others] = pages.map((page) => JSON.stringify(page));
    if (others.every((other) => other === first) && Array.isArray(pages[0])) return pages[0];
    if (performance.now() < deadline) await delay(200);
    else if (!Array.isArray(pages[0])) throw new Error(`${path} was answered with ${first}`);
    else {
      const told = cluster.trackingNodes.map((name, at) => `${name}: ${brief(pages[at])}`);
      violate(`${path} is not the same on every tracking node: ${told.join("; ")}`);
      return pages[0];
    }
  }
}

async function askPage(asker, path) {
  try {
    const { status, body } = await asker.get(path);
    return status === 200 ? body : { status, body };
  } catch (error) {
    return { error: String(error) };
  }
}

function brief(page) {
  if (!Array.isArray(page)) return JSON.stringify(page);
  const place = ({ index, position }) => `${index}.${position}`;
  const ends = page.length === 0 ? "" : ` from ${place(page[0])} to ${place(page.at(-1))}`;
  return `${page.length} events${ends}`;
}

function take(history, entry, violate) {
  history.events += 1;
  if (entry.type === "OperationEnded") {
    const { operation } = entry.data;
    history.operationEnds.set(operation, (history.operationEnds.get(operation) ?? 0) + 1);
  }
  if (entry.type === "RuleFailed")
    violate(`a rule threw at ${entry.index}.${entry.position}: ${JSON.stringify(entry.data)}`);
  if (entry.type !== "Mark") return;
  const known = history.marks.get(entry.id);
  if (known !== undefined)
    violate(`event ${entry.id} is in the history twice: records ${known} and ${entry.index}`);
  if (entry.dead !== undefined) violate(`event ${entry.id} had no effect: ${entry.dead}`);
  history.marks.set(entry.id, entry.index);
  const { client, n } = entry.data;
  const own = history.perClient.get(client) ?? { count: 0, sum: 0 };
  history.perClient.set(client, { count: own.count + 1, sum: own.sum + n });
}

/** Every acknowledged event is there, where it was said to be. */
export function verifyLedger({ ledgerPath, history, violate }) {
  const lines = readFileSync(ledgerPath, "utf8").split("\n").filter(Boolean);
  for (const line of lines) {
    const [id, index] = line.split(" ");
    const found = history.marks.get(id);
    if (found === undefined)
      violate(`event ${id} was acknowledged in record ${index}, and is not in the history`);
    else if (found !== Number(index))
      violate(`event ${id} was acknowledged in record ${index}, and is in record ${found}`);
  }
  return lines.length;
}

/** Every event of the history had its effect once, in the graph and in the memory of the rule, as each node tells it. */
export async function verifyEffects({ cluster, history, violate }) {
  for (const [client, { count, sum }] of history.perClient) {
    const path = `/v1/graph?resource=MarkTally/client-${client}`;
    const wanted = { count, misplaced: 0, remembered: count, sum };
    for (const name of cluster.trackingNodes) {
      const { body } = await cluster.asker(name).get(path);
      const found = body.attributes;
      if (Object.entries(wanted).some(([attribute, value]) => found?.[attribute] !== value))
        violate(
          `on ${name} the events of client ${client} had the effect ${JSON.stringify(found ?? body)}, expected ${JSON.stringify(wanted)}`,
        );
    }
  }
}

/** No service name was ever held twice. */
export function verifyOracle({ oraclePath, violate }) {
  for (const line of readFileSync(oraclePath, "utf8").split("\n").filter(Boolean)) violate(line);
}
