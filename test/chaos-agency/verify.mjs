import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { checkLinearizable } from "../../packages/sim/dist/linearizability.js";
import { checkAppends } from "../../packages/sim/dist/linearizability-appends.js";
import { Api } from "./api.mjs";
import { asTransaction } from "./clients.mjs";

const readsInARequest = 100;
const auditMs = 60_000;
const windowShownMax = 40;

/** Reads every key through every member, as operations of the history. */
export async function audit({ members, network, history, keys, violate }) {
  const registers = keys.pairs.flatMap((pair) => pair.keys);
  const lists = keys.lists.map(({ key }) => key);
  for (const at of members.all) {
    const api = new Api({ network, memberCount: members.all.length, violate });
    for (const [object, all] of [
      ["register", registers],
      ["list", lists],
    ]) {
      for (let from = 0; from < all.length; from += readsInARequest)
        await auditBatch({
          api,
          at,
          history,
          object,
          batch: all.slice(from, from + readsInARequest),
        });
    }
    api.close();
  }
}

async function auditBatch({ api, at, history, object, batch }) {
  const deadline = performance.now() + auditMs;
  for (;;) {
    const call = { client: `audit-${at}`, object, type: "read", start: history.now() };
    const found = await api.read(
      at,
      batch.map((key) => [key]),
    );
    const end = history.now();
    if (found !== undefined) {
      for (const [place, key] of batch.entries())
        history.add({ ...call, end, key, value: found[place][0], outcome: "ok" });
      return;
    }
    if (performance.now() > deadline)
      throw new Error(`member ${at} led to no answer to a read in ${auditMs} ms`);
    await delay(100);
  }
}

/** Compares the trees of all members; they have committed the same. */
export async function compareTrees({ members, violate }) {
  const trees = await Promise.all(members.all.map((at) => members.treeOf(at)));
  for (const at of members.all)
    if (trees[at] === undefined || !isDeepStrictEqual(trees[at], trees[0]))
      violate(
        `the tree of member ${at} is not that of member 0, though both have committed the same`,
      );
}

/** What the history says of itself; every sentence is a violation. */
export function judge(operations) {
  const registers = operations.filter(({ object }) => object === "register");
  const lists = operations.filter(({ object }) => object === "list");
  return [...judgeRegisters(registers), ...judgeLists(lists), ...lostWrites(registers)];
}

function judgeRegisters(history) {
  const verdict = checkLinearizable(history);
  if (verdict.type === "linearizable") return [];
  const shown = verdict.type === "violation" ? verdict.window.slice(0, windowShownMax) : [];
  const lines = shown.map((operation) => `  ${JSON.stringify(operation)}`);
  return [
    [
      `the history of ${verdict.keys.join(", ")} is ${verdict.type}: ${verdict.reason}`,
      ...lines,
    ].join("\n"),
  ];
}

function judgeLists(history) {
  const verdict = checkAppends(
    history.flatMap((operation) => {
      if (operation.type === "append") return [operation];
      return operation.outcome === "ok" ? [{ ...operation, values: operation.value ?? [] }] : [];
    }),
  );
  if (verdict.type === "linearizable") return [];
  const involved = history.filter(({ id }) => verdict.ids.includes(id));
  const lines = involved.map((operation) => `  ${JSON.stringify(operation)}`);
  return [[`the list ${verdict.key} is wrong: ${verdict.reason}`, ...lines].join("\n")];
}

/**
 * Acknowledged writes that are neither there in the end nor overwritten by something that can have come later.
 *
 * The checker would find them too; this asks in another way.
 */
function lostWrites(history) {
  const last = new Map();
  const writers = new Map();
  const latest = new Map();
  for (const operation of history) {
    if (operation.type === "read") {
      if (operation.outcome === "ok") last.set(operation.key, operation.value);
      continue;
    }
    for (const { key, value } of asTransaction(operation).set) {
      if (operation.outcome === "ok" || operation.outcome === "unknown")
        writers.set(`${key} ${value}`, operation);
      if (operation.outcome === "ok" && operation.start > (latest.get(key)?.start ?? -1))
        latest.set(key, operation);
    }
  }
  return [...latest].flatMap(([key, write]) => {
    const value = last.get(key);
    const writer = writers.get(`${key} ${value}`);
    if (writer === undefined) return [`${key} ends as ${value}, but ${write.id} was acknowledged`];
    const isOlder = writer.outcome === "ok" && writer.end < write.start;
    return isOlder ? [`${key} ends as ${value}, so ${write.id} is lost, which came later`] : [];
  });
}
