import { type Command, HalonError } from "@halon/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { clusterSpec, deployment, manifest } from "../testdata/samples.ts";
import type { Input, Reply } from "./core/index.ts";
import type { DecisionLoop } from "./loop.ts";
import { decodeRecord } from "./recover.ts";
import { Standby, type StandbyListener } from "./standby.ts";
import { memoryState, openMemoryStore } from "./store/memory.ts";
import type { Store } from "./store/port.ts";

/** Waits until it holds, on however busy a machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

interface Heard {
  readonly listener: StandbyListener;
  readonly records: string[];
  readonly fatal: unknown[];
  readonly warnings: string[];
}

const open: DecisionLoop[] = [];
afterEach(async () => {
  for (const loop of open.splice(0)) await loop.close();
});

function hear(): Heard {
  const records: string[] = [];
  const fatal: unknown[] = [];
  const warnings: string[] = [];
  const listener = {
    commands: () => undefined,
    following: () => undefined,
    record: ({ text }: { readonly text: string }) => void records.push(text),
    warning: (text: string) => void warnings.push(text),
    beforeSnapshot: async () => undefined,
    fatal: (error: unknown) => void fatal.push(error),
  };
  return { listener, records, fatal, warnings };
}

async function start(store: Store, heard: Heard = hear()): Promise<DecisionLoop> {
  const standby = await Standby.open(store, {
    ruleFiles: {
      blobPath: (hash) => hash,
      hasBlob: async () => true,
      missing: () => undefined,
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: heard.listener,
  });
  const loop = await standby.lead();
  open.push(loop);
  return loop;
}

function joined(sequence: number, node = "node-1"): Input {
  const data = {
    node,
    address: "127.0.0.1:1",
    hostname: "h",
    role: "satellite",
    incarnation: 1,
    labels: {},
    version: "0.1.0",
  };
  return {
    type: "numbered",
    source: `node/${node}`,
    incarnation: 1,
    sequence,
    event: { type: "NodeJoined", version: 1, data },
  };
}

function applied(name: string): Input {
  const spec = clusterSpec([deployment(name)], { types: [manifest(name)] });
  const event = { type: "ClusterApplied", version: 1, data: { operation: "op", spec } as never };
  return { type: "client", id: "op", event };
}

function submit(loop: DecisionLoop, input: Input): Promise<Reply> {
  return new Promise((resolve) => loop.submit(input, resolve));
}

/** A store whose appends wait for `release`, or fail as told. */
function gated(
  store: Store,
  outcome: (nth: number) => "pass" | "wait" | "lose" | "lose-reply",
): { store: Store; release(): void } {
  let appends = 0;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const append: Store["append"] = async (data, at) => {
    appends += 1;
    const how = outcome(appends);
    if (how === "wait") await gate;
    if (how === "lose") throw new HalonError("HAL_STORE_FAILED", "lost");
    const appended = await store.append(data, at);
    if (how === "lose-reply") throw new HalonError("HAL_STORE_FAILED", "reply lost");
    return appended;
  };
  const wrapped = new Proxy(store, {
    get: (target, name) => (name === "append" ? append : Reflect.get(target, name, target)),
  });
  return { store: wrapped, release };
}

test("nothing is answered before its record is durable, and what arrives meanwhile forms the next record", async () => {
  const { store, release } = gated(await openMemoryStore(), (nth) => (nth === 1 ? "wait" : "pass"));
  const heard = hear();
  const loop = await start(store, heard);
  const replies: Reply[] = [];
  loop.submit(joined(1), (reply) => replies.push(reply));
  await eventually(() => expect(loop.state.index).toBe(1));
  loop.submit(joined(2), (reply) => replies.push(reply));
  loop.submit(joined(3), (reply) => replies.push(reply));
  expect([replies, heard.records]).toEqual([[], []]);
  release();
  await eventually(() => expect(replies).toHaveLength(3));
  expect(replies).toEqual([
    { type: "accepted", index: 1 },
    { type: "accepted", index: 2 },
    { type: "accepted", index: 2 },
  ]);
});

test("what this node itself sees is taken however many events of others wait, and none is missed after it", async () => {
  const { store, release } = gated(await openMemoryStore(), (nth) => (nth === 1 ? "wait" : "pass"));
  const loop = await start(store);
  loop.submit(joined(1), () => undefined);
  await eventually(() => expect(loop.state.index).toBe(1));
  const refused: Reply[] = [];
  while (!refused.some(({ type }) => type === "refused"))
    loop.submit(joined(1), (reply) => refused.push(reply));
  expect(refused).toMatchObject([{ error: { code: "HAL_TOO_MANY" } }]);
  const seen = { node: "node-1", incarnation: 1, reason: "silent" };
  let decided = 0;
  for (const type of ["NodeSuspected", "NodeLost"])
    loop.observe(type, seen, () => {
      decided += 1;
    });
  expect(decided).toBe(0);
  release();
  await eventually(() => expect(decided).toBe(2));
  expect(loop.state.watermarks.get("tracking")?.sequence).toBe(2);
  expect(loop.state.graph.get("Node", "node-1")?.attributes.state).toBe("down");
});

test("what is read between two appends is durable", async () => {
  const { store, release } = gated(await openMemoryStore(), (nth) => (nth === 1 ? "wait" : "pass"));
  const loop = await start(store);
  loop.submit(joined(1), () => undefined);
  await eventually(() => expect(loop.state.index).toBe(1));
  let seen: number | undefined;
  loop.whenDurable(() => {
    seen = loop.state.watermarks.get("node/node-1")?.sequence;
  });
  expect(seen).toBeUndefined();
  release();
  await eventually(() => expect(seen).toBe(1));
});

test.each(["lose", "lose-reply"] as const)(
  "after an append of unknown outcome (%s) the event has its effect once",
  async (outcome) => {
    const state = memoryState();
    const heard = hear();
    const { store } = gated(await openMemoryStore(state), (nth) => (nth === 2 ? outcome : "pass"));
    const loop = await start(store, heard);
    await submit(loop, joined(1));
    expect(await submit(loop, joined(2))).toEqual({ type: "accepted", index: 2 });
    expect(await submit(loop, joined(3))).toEqual({ type: "accepted", index: 3 });
    expect(heard.warnings).toHaveLength(1);
    const taken: unknown[] = [];
    for await (const { data } of store.read(1))
      taken.push(decodeRecord(data).decisions.map(({ origin }) => origin));
    expect(taken.flat()).toMatchObject([{ sequence: 1 }, { sequence: 2 }, { sequence: 3 }]);
  },
);

test("a coordinator whose epoch has passed ends, and refuses what comes later", async () => {
  const state = memoryState();
  const heard = hear();
  const loop = await start(await openMemoryStore(state), heard);
  const successor = await start(await openMemoryStore(state));
  await eventually(() => expect(heard.fatal).toMatchObject([{ code: "HAL_NO_LEADER" }]));
  expect(await submit(loop, joined(1))).toMatchObject({
    type: "refused",
    error: { code: "HAL_NO_LEADER" },
  });
  expect(await submit(successor, joined(1))).toEqual({ type: "accepted", index: 1 });
});

test("when the store is lost, nothing more is decided or sent, and each waiting event is told whether it can have had an effect", async () => {
  const state = memoryState();
  const { store, release } = gated(await openMemoryStore(state), (nth) =>
    nth === 2 ? "wait" : "pass",
  );
  const heard = hear();
  const sent: unknown[] = [];
  const listener = { ...heard.listener, commands: (some: unknown) => void sent.push(some) };
  const loop = await start(store, { ...heard, listener });
  await submit(loop, joined(1));
  const replies: Reply[] = [];
  loop.submit(applied("web"), (reply) => replies.push(reply));
  await eventually(() => expect(loop.state.index).toBe(2));
  loop.submit(joined(2), (reply) => replies.push(reply));
  await start(await openMemoryStore(state));
  expect(heard.fatal).toMatchObject([{ code: "HAL_NO_LEADER" }]);
  expect(replies).toMatchObject([
    { error: { code: "HAL_NO_LEADER", message: expect.stringContaining("is not known") } },
    { error: { code: "HAL_NO_LEADER", message: expect.stringContaining("no effect") } },
  ]);
  release();
  await loop.close();
  expect([sent, heard.records.length, replies.length]).toEqual([[], 1, 2]);
});

test("what a coordinator before it decided is sent again under the epoch of the present one", async () => {
  const state = memoryState();
  const first = await start(await openMemoryStore(state));
  await submit(first, joined(1));
  await submit(first, applied("web"));
  const sent: Command[] = [];
  const heard = hear();
  const listener = {
    ...heard.listener,
    commands: (some: readonly Command[]) => sent.push(...some),
  };
  const second = await start(await openMemoryStore(state), { ...heard, listener });
  second.resend("node-1");
  expect(sent).toMatchObject([{ epoch: second.epoch, action: { type: "StartService" } }]);
  expect(first.epoch).toBeLessThan(second.epoch);
});

test("coordinators that follow each other quickly save a snapshot all the same", async () => {
  const state = memoryState();
  let sequence = 0;
  for (const records of [2_600, 2_600]) {
    const loop = await start(await openMemoryStore(state));
    for (let record = 0; record < records; record += 1) {
      sequence += 1;
      await submit(loop, joined(sequence));
    }
    await loop.close();
  }
  expect((await (await openMemoryStore(state)).loadSnapshot())?.index).toBe(5_000);
}, 30_000);

test("the next coordinator goes on from the log: same state, later log time, and the watermark answers what was taken", async () => {
  const state = memoryState();
  const first = await start(await openMemoryStore(state));
  await submit(first, joined(1));
  const { logTime } = first.state;
  const second = await start(await openMemoryStore(state));
  expect(await submit(second, joined(1))).toEqual({ type: "duplicate", index: null });
  expect(await submit(second, joined(2))).toEqual({ type: "accepted", index: 2 });
  expect(second.state.logTime).toBeGreaterThanOrEqual(logTime);
  expect(second.state.graph.get("Node", "node-1")?.attributes.state).toBe("up");
});
