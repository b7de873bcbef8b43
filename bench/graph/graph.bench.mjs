// Build, change and read a graph of 100,000 resources and 400,000 relations. Run after `npm run build`:
//   node --expose-gc bench/graph/graph.bench.mjs [resources]
import { createGraph, fromJSON, toJSON } from "@halon/graph";

const target = Number(process.argv[2] ?? 100_000);
const nodeCount = Math.max(1, Math.round(target / 1_000));
const serviceCount = Math.max(4, Math.round(target / 250));
const perTransaction = 1_000;
const rounds = 20_000;

const settle = () => globalThis.gc?.();
const ms = (start) => performance.now() - start;
const rows = [];
const report = (what, value) => rows.push({ what, value });

/** Every slot and instance has its node; monitors and wants fill up to four relations a resource. */
function* content() {
  const slots = Math.floor((target - nodeCount * 2 - serviceCount) / 2);
  yield (update) => {
    for (let n = 0; n < nodeCount; n += 1) {
      update.put("Node", `node-${n}`, node(n));
      update.put("Supervisor", `node-${n}`, { node: `node-${n}` });
      update.relate(`Supervisor/node-${n}`, "supervises", `Node/node-${n}`);
    }
    for (let s = 0; s < serviceCount; s += 1) update.put("Service", `type-${s}`, service(s));
  };
  for (let first = 0; first < slots; first += perTransaction) {
    yield (update) => {
      for (let i = first; i < Math.min(slots, first + perTransaction); i += 1) addSlot(update, i);
    };
  }
}

function addSlot(update, i) {
  const on = `node-${i % nodeCount}`;
  const slot = `svc-${i}@${on}`;
  const instance = `${slot}#1`;
  const type = `type-${i % serviceCount}`;
  update.put("ServiceName", slot, { service: `svc-${i}`, node: on, incarnation: 1, restarts: 0 });
  update.put("ServiceInstance", instance, instanceOf(i, on, slot, type));
  update.relate(`Node/${on}`, "provides", `ServiceName/${slot}`);
  update.relate(`ServiceName/${slot}`, "wants", `Service/${type}`);
  update.relate(`Node/${on}`, "runs", `ServiceInstance/${instance}`);
  update.relate(`ServiceInstance/${instance}`, "holds", `ServiceName/${slot}`);
  update.relate(`ServiceInstance/${instance}`, "instanceOf", `Service/${type}`);
  for (let watcher = 0; watcher < Math.min(3, nodeCount); watcher += 1) {
    const by = `Supervisor/node-${(i + watcher) % nodeCount}`;
    update.relate(by, "monitors", `ServiceInstance/${instance}`);
  }
}

const node = (n) => ({
  address: `10.0.${n >> 8}.${n & 255}:8629`,
  role: "satellite",
  state: "up",
  incarnation: 1,
  labels: { zone: `z${n % 3}` },
  version: "0.1.0",
  since: 0,
});

const service = (s) => ({
  serviceName: `type-${s}`,
  version: "1.0.0",
  kind: "worker",
  blob: "0".repeat(64),
  restart: {},
  startTimeoutMs: 10_000,
  stopTimeoutMs: 10_000,
  checkEveryMs: 1_000,
  resourceKinds: [],
});

const instanceOf = (i, on, slot, type) => ({
  service: `svc-${i}`,
  type,
  version: "1.0.0",
  node: on,
  slot,
  incarnation: 1,
  state: i % 1_000 === 0 ? "failed" : "running",
  health: "ok",
  since: 0,
});

function quantiles(act) {
  const times = new Float64Array(rounds);
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    act(round);
    times[round] = ms(start);
  }
  times.sort();
  const at = (q) => `${((times[Math.floor(rounds * q)] ?? 0) * 1_000).toFixed(1)} µs`;
  return `p50 ${at(0.5)}  p99 ${at(0.99)}`;
}

settle();
const before = process.memoryUsage();
const graph = createGraph();
let relations = 0;
let resources = 0;
const start = performance.now();
for (const part of content()) {
  for (const change of graph.transact(part).changes) {
    if (change.type === "relate") relations += 1;
    if (change.type === "put") resources += 1;
  }
}
const builtMs = ms(start);
settle();
const after = process.memoryUsage();
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
report("resources, relations", `${resources}, ${relations}`);
report(
  "build",
  `${builtMs.toFixed(0)} ms, ${((resources + relations) / builtMs).toFixed(0)} changes/ms`,
);
report(
  "memory",
  `heap +${mib(after.heapUsed - before.heapUsed)}, rss +${mib(after.rss - before.rss)}`,
);

const slots = graph.list("ServiceInstance").length;
const idOf = (i) => `svc-${i}@node-${i % nodeCount}#1`;
const pick = (round) => (round * 7_919) % slots;
report(
  "transaction: patch one resource",
  quantiles((round) =>
    graph.transact((update) => {
      const state = round % 2 === 0 ? "stopping" : "running";
      update.patch("ServiceInstance", idOf(pick(round)), { state, since: round });
    }),
  ),
);
report(
  "transaction: 2 resources, 4 relations in and out",
  quantiles((round) =>
    graph.transact((update) => {
      const i = pick(round);
      const on = `node-${i % nodeCount}`;
      update.put(
        "ServiceInstance",
        `new-${round}`,
        instanceOf(i, on, `new-${round}@${on}`, "type-0"),
      );
      update.relate(`Node/${on}`, "runs", `ServiceInstance/new-${round}`);
      update.relate(`ServiceInstance/new-${round}`, "instanceOf", "Service/type-0");
      update.remove("ServiceInstance", `new-${round - 1}`);
    }),
  ),
);
report(
  "transaction rolled back",
  quantiles((round) => {
    const transaction = graph.begin();
    transaction.update.patch("ServiceInstance", idOf(pick(round)), { since: -1 });
    transaction.rollback();
  }),
);
report(
  "list by index (slot, 1 found)",
  quantiles((round) => {
    const i = pick(round);
    graph.list("ServiceInstance", { slot: `svc-${i}@node-${i % nodeCount}` });
  }),
);
report(
  "get",
  quantiles((round) => graph.get("ServiceInstance", idOf(pick(round)))),
);
report(
  "out of an instance (1 found)",
  quantiles((round) => graph.out(`ServiceInstance/${idOf(pick(round))}`, "holds")),
);
report(
  "related",
  quantiles((round) => {
    const i = pick(round);
    graph.related(`Node/node-${i % nodeCount}`, "runs", `ServiceInstance/${idOf(i)}`);
  }),
);
const hub = performance.now();
const found = graph.out("Node/node-0", "runs").length;
report(`out of a node (${found} found)`, `${ms(hub).toFixed(2)} ms`);
const snapshot = performance.now();
const json = JSON.stringify(toJSON(graph));
report("snapshot to JSON", `${ms(snapshot).toFixed(0)} ms, ${mib(json.length)}`);
const restore = performance.now();
fromJSON(JSON.parse(json));
report("snapshot from JSON", `${ms(restore).toFixed(0)} ms`);

for (const { what, value } of rows) console.log(`${what.padEnd(52)} ${value}`);
