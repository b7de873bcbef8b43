import { readFileSync } from "node:fs";
import { trackingNode } from "./cluster.mjs";

const pageSize = 1_000;

/** Reads the whole history through the API, and what is wrong with it in itself. */
export async function readHistory({ cluster, violate }) {
  const history = { marks: new Map(), perClient: new Map(), operationEnds: new Map(), events: 0 };
  let last = { index: 0, position: 0 };
  let after = "0";
  for (;;) {
    const path = `/v1/events?after=${after}&limit=${pageSize}`;
    const { status, body } = await cluster.asker(trackingNode).get(path);
    if (status !== 200) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`);
    if (body.length === 0) return history;
    for (const entry of body) {
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

/** Every event of the history had its effect once, in the graph and in the memory of the rule. */
export async function verifyEffects({ cluster, history, violate }) {
  for (const [client, { count, sum }] of history.perClient) {
    const path = `/v1/graph?resource=MarkTally/client-${client}`;
    const { body } = await cluster.asker(trackingNode).get(path);
    const wanted = { count, misplaced: 0, remembered: count, sum };
    const found = body.attributes;
    if (Object.entries(wanted).some(([name, value]) => found?.[name] !== value))
      violate(
        `the events of client ${client} had the effect ${JSON.stringify(found ?? body)}, expected ${JSON.stringify(wanted)}`,
      );
  }
}

/** No service name was ever held twice. */
export function verifyOracle({ oraclePath, violate }) {
  for (const line of readFileSync(oraclePath, "utf8").split("\n").filter(Boolean)) violate(line);
}
