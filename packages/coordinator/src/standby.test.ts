import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson } from "@halon/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { clusterSpec, hashLike } from "../testdata/samples.ts";
import {
  type CoordinatorState,
  emptyState,
  encodeSnapshot,
  fold,
  type Input,
  type Reply,
} from "./core/index.ts";
import type { DecisionLoop } from "./loop.ts";
import { decodeRecord, encodeRecord } from "./recover.ts";
import { Standby, type StandbyListener } from "./standby.ts";
import type { Engine } from "./store/engine.ts";
import { memoryEngine, memoryState, openMemoryStore } from "./store/memory.ts";
import { storeOf } from "./store/parts.ts";
import type { Store } from "./store/port.ts";

/** Waits until it holds, on however busy a machine. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

const ends: (() => Promise<void>)[] = [];
let blobs: string;
beforeAll(async () => {
  blobs = await mkdtemp(join(tmpdir(), "halon-standby-"));
});
afterAll(() => rm(blobs, { recursive: true }));
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** What a coordinator told, in order. */
interface Heard {
  readonly listener: StandbyListener;
  readonly told: string[];
  readonly fatal: unknown[];
  readonly missing: string[];
}

function hear(): Heard {
  const told: string[] = [];
  const fatal: unknown[] = [];
  const listener: StandbyListener = {
    following: ({ index }: CoordinatorState) => void told.push(`following ${index}`),
    record: ({ index }) => void told.push(`record ${index}`),
    commands: () => undefined,
    warning: (text) => void told.push(text),
    beforeSnapshot: async () => undefined,
    fatal: (error) => void fatal.push(error),
  };
  return { listener, told, fatal, missing: [] };
}

async function openStandby(store: Store, heard = hear()): Promise<Standby> {
  const standby = await Standby.open(store, {
    ruleFiles: {
      blobPath: (hash) => join(blobs, `${hash}.mjs`),
      hasBlob: async (hash) => !hash.startsWith("0") || heard.missing.includes(`got ${hash}`),
      missing: (some) => heard.missing.push(...some),
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: heard.listener,
  });
  ends.push(() => standby.close());
  return standby;
}

async function openLeader(store: Store): Promise<DecisionLoop> {
  const loop = await (await openStandby(store)).lead();
  ends.push(() => loop.close());
  return loop;
}

function submit(loop: DecisionLoop, input: Input): Promise<Reply> {
  return new Promise((resolve) => loop.submit(input, resolve));
}

const joined = (sequence: number): Input => ({
  type: "numbered",
  source: "node/node-1",
  incarnation: 1,
  sequence,
  event: {
    type: "NodeJoined",
    version: 1,
    data: {
      node: "node-1",
      address: "127.0.0.1:1",
      hostname: "h",
      role: "satellite",
      incarnation: 1,
      labels: {},
      version: "0.1.0",
    },
  },
});

function ruleFile(blob: string): Input {
  const spec = clusterSpec([], {
    rules: [{ name: "mine", blob, rules: [], events: [], resources: {} }],
  });
  const event = { type: "ClusterApplied", version: 1, data: { operation: blob, spec } as never };
  return { type: "client", id: blob, event };
}

async function decide(loop: DecisionLoop, from: number, to: number): Promise<void> {
  for (let sequence = from; sequence <= to; sequence++) {
    const reply = await submit(loop, joined(sequence));
    expect(reply.type).toBe("accepted");
  }
}

/** An engine whose reads wait while it is stalled, as those of a node that was cut off. */
function stalling(engine: Engine): { readonly engine: Engine; stall(): void; resume(): void } {
  let gate = Promise.resolve();
  let open: () => void = () => undefined;
  const read: Engine["read"] = async (from) => {
    await gate;
    return engine.read(from);
  };
  return {
    engine: new Proxy(engine, {
      get: (target, name) => (name === "read" ? read : Reflect.get(target, name, target)),
    }),
    stall() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    resume: () => open(),
  };
}

test("a standby tells where it begins and then each record, and has the leader's state", async () => {
  const shared = memoryState();
  const leader = await openLeader(await openMemoryStore(shared));
  await decide(leader, 1, 3);
  const heard = hear();
  const standby = await openStandby(await openMemoryStore(shared), heard);
  await decide(leader, 4, 6);
  await eventually(() => expect(standby.state.index).toBe(6));
  expect(heard.told).toEqual(["following 3", "record 4", "record 5", "record 6"]);
  expect(encodeSnapshot(standby.state)).toBe(encodeSnapshot(leader.state));
});

test("a takeover decides on what was folded, without a gap in what is told, and ends the one before", async () => {
  const shared = memoryState();
  const before = hear();
  const first = await (await openStandby(await openMemoryStore(shared), before)).lead();
  ends.push(() => first.close());
  await decide(first, 1, 5);
  const heard = hear();
  const standby = await openStandby(await openMemoryStore(shared), heard);
  const { state } = standby;
  const second = await standby.lead();
  ends.push(() => second.close());
  expect(before.fatal).toMatchObject([{ code: "HAL_NO_LEADER" }]);
  expect(second.state).toBe(state);
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect(await submit(second, joined(5))).toEqual({ type: "duplicate", index: null });
  await decide(second, 6, 7);
  expect(heard.told).toEqual(["following 5", "record 6", "record 7"]);
});

test("a standby that a snapshot from elsewhere overtakes recovers from that, says so, and goes on", async () => {
  const shared = memoryState();
  const owner = await openMemoryStore(shared);
  const leader = await openLeader(owner);
  await decide(leader, 1, 3);
  const heard = hear();
  const slow = stalling(memoryEngine(shared));
  const standby = await openStandby(await storeOf(slow.engine), heard);
  slow.stall();
  await decide(leader, 4, 8);
  await owner.saveSnapshot(6, [Buffer.from(await stateAt(owner, 6))]);
  slow.resume();
  await eventually(() => expect(standby.state.index).toBe(8));
  await decide(leader, 9, 9);
  await eventually(() => expect(standby.state.index).toBe(9));
  expect(encodeSnapshot(standby.state)).toBe(encodeSnapshot(leader.state));
  expect([heard.told, heard.fatal]).toEqual([["following 3", "following 8", "record 9"], []]);
});

/** The text of the state as of a record. */
async function stateAt(store: Store, index: number): Promise<string> {
  const state = emptyState();
  for await (const record of store.read(1)) {
    if (record.index <= index) fold(state, decodeRecord(record.data));
  }
  return encodeSnapshot(state);
}

/** An engine that notes at which records it was to save a snapshot, and keeps none. */
function noting(engine: Engine, snapshotsAreOwn: boolean, saved: number[]): Engine {
  const saveSnapshot: Engine["saveSnapshot"] = async (_, chunks) => {
    for await (const header of chunks) {
      if (header.length === 8) saved.push(Number(Buffer.from(header).readBigUInt64LE()));
    }
  };
  const other = { snapshotsAreOwn, saveSnapshot, compactTo: async () => undefined };
  return new Proxy(engine, {
    get: (target, name) => Reflect.get(name in other ? other : target, name),
  });
}

test("a standby saves snapshots where each handle keeps its own, and none where they are the owner's", async () => {
  const shared = memoryState();
  const owner = await openMemoryStore(shared);
  await owner.lead();
  const saved: { readonly own: number[]; readonly shared: number[] } = { own: [], shared: [] };
  const standbys = [
    await openStandby(await storeOf(noting(memoryEngine(shared), true, saved.own))),
    await openStandby(await storeOf(noting(memoryEngine(shared), false, saved.shared))),
  ];
  const { epoch } = owner;
  for (let index = 1; index <= 5_100; index++) {
    const record = { index, epoch, logTime: index, wallTime: 0, revision: 0, decisions: [] };
    await owner.append(encodeRecord(canonicalJson(record)), { index, epoch });
  }
  for (const standby of standbys) {
    await eventually(() => expect(standby.state.index).toBe(5_100));
    await standby.close();
  }
  expect(saved).toEqual({ own: [5_000], shared: [] });
}, 30_000);

test("a rule file whose code is not here yet is asked for, and is in force once it came", async () => {
  const blob = hashLike("mine").replace(/^./, "0");
  const rules = "module.exports.default = { kind: 'rules', rules: {}, events: [] };";
  await writeFile(join(blobs, `${blob}.mjs`), rules);
  const shared = memoryState();
  const first = hear();
  first.missing.push(`got ${blob}`);
  const leader = await (await openStandby(await openMemoryStore(shared), first)).lead();
  ends.push(() => leader.close());
  await submit(leader, ruleFile(blob));
  const heard = hear();
  const standby = await openStandby(await openMemoryStore(shared), heard);
  await eventually(() => expect(heard.missing).toEqual([blob]));
  heard.missing.push(`got ${blob}`);
  const next = await standby.lead();
  ends.push(() => next.close());
  await decide(next, 1, 1);
  const file = next.state.graph.get("RuleFile", "mine");
  expect([file?.attributes.blob, file?.attributes.quarantined]).toEqual([blob, undefined]);
});
