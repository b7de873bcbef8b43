// How long a coordinator takes to follow a log of 100,000 resources, to take it over, and how long a snapshot holds it.
// After `npm run build`: node bench/coordinator/takeover.bench.mjs [directory]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { MessageChannel } from "node:worker_threads";
import { serveHostLog, startMember } from "../../packages/agency/dist/index.js";
import { captureSnapshot, emptyState } from "../../packages/coordinator/dist/core/index.js";
import { startCoordinator } from "../../packages/coordinator/dist/index.js";
import { Standby } from "../../packages/coordinator/dist/standby.js";
import {
  memoryEngine,
  memoryState,
  openAgencyEngine,
  storeOf,
} from "../../packages/coordinator/dist/store/index.js";
import { fromJSON } from "../../packages/graph/dist/index.js";
import { canonicalJson } from "../../packages/protocol/dist/index.js";

const resources = 100_000;
const tailRecords = 4_000;
const encoder = new TextEncoder();
const ms = (from) => `${Math.round(performance.now() - from)} ms`;

function cpuMs(before) {
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / 1_000);
}

console.log(`${resources} resources, ${tailRecords} records after the snapshot`);
const base = mkdtempSync(join(process.argv[2] ?? tmpdir(), "halon-takeover-"));
try {
  await measureThread();
  await measureTakeover();
} finally {
  rmSync(base, { recursive: true });
}

/** A thread that starts beside a member that leads alone, and owns its log as soon as it has read it. */
async function measureThread() {
  const member = await startMember({
    dataDir: base,
    advertise: "127.0.0.1:8528",
    join: [],
    agencySize: 1,
    electionMinMs: 300,
    electionMaxMs: 600,
    compactionStep: 1_000,
    compactionKeep: 50_000,
    log: () => undefined,
    onEnd: (reason) => console.error(reason),
  });
  const portOf = () => {
    const { port1, port2 } = new MessageChannel();
    serveHostLog(member.hostLog, port1);
    return port2;
  };
  const store = await storeOf(await openAgencyEngine(portOf()));
  await fill(store);
  await store.close();
  const data = {
    dataDir: base,
    address: "127.0.0.1:8528",
    store: { type: "agency", port: portOf() },
    newCluster: { id: "bench", name: "bench" },
    journalBytesMax: 2 ** 30,
    journalAgeMaxMs: 2 ** 40,
    suspects: [],
  };
  const start = performance.now();
  let leads = () => undefined;
  const leading = new Promise((resolve) => {
    leads = resolve;
  });
  const host = await startCoordinator(data, ({ type }) => {
    if (type === "leading") leads(ms(start));
  });
  console.log(`cold thread beside a member: follows after ${ms(start)}`);
  console.log(`cold thread beside a member: leads after ${await leading}`);
  await host.stop();
  await member.close();
}

/** A standby that has followed, from the moment at which the store is its own. */
async function measureTakeover() {
  const shared = memoryState();
  const owner = await storeOf(memoryEngine(shared));
  const { epoch } = await fill(owner);
  const engine = memoryEngine(shared);
  let ownedAt = 0;
  const timed = new Proxy(engine, {
    get(target, name) {
      if (name === "snapshotsAreOwn") return true;
      if (name !== "lead") return Reflect.get(target, name, target);
      return async () => {
        await target.lead();
        ownedAt = performance.now();
      };
    },
  });
  const start = performance.now();
  const before = process.cpuUsage();
  const standby = await Standby.open(await storeOf(timed), {
    ruleFiles: {
      blobPath: () => "",
      hasBlob: async () => true,
      missing: () => undefined,
      files: () => undefined,
      running: () => undefined,
      suspects: new Map(),
    },
    listener: {
      following: () => undefined,
      commands: () => undefined,
      record: () => undefined,
      warning: (warning) => console.error(warning),
      beforeSnapshot: async () => undefined,
      fatal: (error) => {
        throw error;
      },
    },
  });
  console.log(`standby in this thread: has recovered after ${ms(start)} (CPU ${cpuMs(before)} ms)`);
  await measureHold(owner, standby, epoch);
  const loop = await standby.lead();
  console.log(`standby in this thread: decides ${ms(ownedAt)} after the store is its own`);
  await loop.close();
}

/** Records as large as the state make a snapshot due. */
async function measureHold(owner, standby, epoch) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let index = standby.state.index;
  const start = performance.now();
  delay.enable();
  const data = "x".repeat(100_000);
  for (let more = 0; more < 1_500; more += 1) {
    index += 1;
    await append(owner, emptyRecord(index, epoch, standby.state.graph.revision, data));
  }
  while (standby.state.index < index) await new Promise((resolve) => setImmediate(resolve));
  const followed = ms(start);
  delay.disable();
  console.log(
    `standby in this thread: longest hold ${Math.round(delay.max / 1e6)} ms while it follows and saves (${followed})`,
  );
}

async function fill(store) {
  const { epoch } = await store.lead();
  const state = emptyState(graphOf(resources));
  state.index = 1;
  state.epoch = epoch;
  await append(store, emptyRecord(1, epoch, state.graph.revision, ""));
  const pieces = [...captureSnapshot(state)].map((piece) => encoder.encode(piece));
  await store.saveSnapshot(1, pieces);
  for (let index = 2; index <= tailRecords + 1; index += 1) {
    const name = `web-${String(index).padStart(6, "0")}`;
    const { changes, revision } = state.graph.transact((graph) =>
      graph.put("ServiceInstance", name, attributesOf(index, "degraded")),
    );
    await append(store, recordOf(index, epoch, revision, changes, ""));
  }
  return { epoch };
}

function append(store, record) {
  const { index, epoch } = record;
  return store.append(encoder.encode(canonicalJson(record)), { index, epoch });
}

function emptyRecord(index, epoch, revision, data) {
  return recordOf(index, epoch, revision, [], data);
}

function recordOf(index, epoch, revision, changes, data) {
  const firing = {
    rule: "builtin/bench",
    why: "",
    changes,
    memory: [],
    timers: [],
    commands: [],
    cancelled: [],
    published: [],
  };
  const event = { id: `bench:1:${index}`, source: "bench", type: "Bench", version: 1, data };
  const origin = { type: "sequence", source: "bench", incarnation: 1, sequence: index };
  const decision = { event, origin, settles: null, dead: null, firings: [firing] };
  return { index, epoch, logTime: index, wallTime: 0, revision, decisions: [decision] };
}

function graphOf(count) {
  const list = Array.from({ length: count }, (_, at) => ({
    kind: "ServiceInstance",
    id: `web-${String(at).padStart(6, "0")}`,
    attributes: attributesOf(at, "running"),
  }));
  return fromJSON({ revision: 1, resources: list, relations: [] });
}

function attributesOf(at, state) {
  const node = `node-${at % 5}`;
  return {
    service: "web",
    type: "web",
    version: "1.0.0",
    node,
    slot: `web@${node}`,
    incarnation: 1,
    state,
    health: "ok",
    since: 1_700_000_000_000,
  };
}
