import { type Command, canonicalJson } from "@halon/protocol";
import { expect, test } from "vitest";
import { captureSnapshot, decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { type CoordinatorState, emptyState } from "./state.ts";

function filled(items: number): CoordinatorState {
  const state = emptyState();
  Object.assign(state, { index: 7, epoch: 3, logTime: 1_234 });
  for (let item = 0; item < items; item++) {
    state.graph.transact((graph) => graph.put("Host", `host-${item}`, { hostname: `ö ${item}` }));
    state.watermarks.set(`node/${item}`, { incarnation: 1, sequence: item });
    state.clientIds.set(`id-${item}`, item);
    state.memories.set(`file-${item % 3}`, new Map([[`key "${item}"`, { item }]]));
    const event = { type: "Due", data: { item } };
    state.timers.arm({ key: `timer-${item}`, due: item, event });
    state.outbox.add({ id: `${item}.1`, node: "node-1", epoch: 3 } as unknown as Command);
    const id = `letter-${item}`;
    const letter = { id, source: "s", type: "T", version: 1, data: null };
    const about = { index: item, time: item, reason: "none", attempts: 1 };
    state.deadLetters.push({ ...about, event: letter });
    state.retries.push({ ...about, event: letter, rule: "mine/one" });
    state.lettersDropped += 1;
  }
  return state;
}

test.each([0, 1, 128, 129, 300])(
  "a state with %i of each thing is canonical JSON, and comes back",
  (items) => {
    const text = encodeSnapshot(filled(items));
    expect(canonicalJson(JSON.parse(text))).toBe(text);
    expect(encodeSnapshot(decodeSnapshot(text))).toBe(text);
  },
);

test("a captured state is told as it was, whatever becomes of it meanwhile", () => {
  const state = filled(300);
  const before = encodeSnapshot(state);
  const captured = captureSnapshot(state);
  const first = captured.next().value;
  state.graph.transact((graph) => graph.put("Host", "host-0", { hostname: "other" }));
  state.watermarks.set("node/0", { incarnation: 2, sequence: 1 });
  state.memories.get("file-0")?.set("another", 1);
  state.clientIds.clear();
  state.timers.disarm("timer-0");
  state.outbox.remove("0.1");
  state.deadLetters.shift();
  state.retries.shift();
  state.lettersDropped = 0;
  state.index += 1;
  expect(`${first}${[...captured].join("")}`).toBe(before);
});
