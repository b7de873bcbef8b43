// What of a tracking node decides: a listener, a member of the agency and a coordinator, each in the thread that it has in
// halond. It also plays the sources, from the main thread, as the nodes' agents do. Told what to do over IPC.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCoordinator } from "../../packages/coordinator/dist/index.js";
import { startMemberThread } from "../../packages/node/dist/member/host.js";
import { compileRuleFile } from "../../packages/service/dist/host/index.js";

const text = "a line of eighty characters, as long as what an event of a service mostly holds.";
const { id, port, cluster, founders, dataDir } = JSON.parse(process.argv[2]);
const address = `127.0.0.1:${port}`;
const rules = fileURLToPath(new URL("./count.rules.mjs", import.meta.url));
const { blob: compiled } = await compileRuleFile(rules);
const rulesBlob = compiled.hash;

/** By source: what to call when its last event is durable. */
const waiting = new Map();
let records = 0;
let rounds = 0;

prepareDirectory();
const member = await listen();
const host = await startCoordinator(
  {
    dataDir,
    address,
    store: { type: "agency", port: member.openHostLog() },
    newCluster: { id: cluster, name: "bench" },
    journalBytesMax: 1_000_000_000,
    journalAgeMaxMs: 86_400_000,
    suspects: [],
  },
  hear,
);
host.ended.catch((error) => fail(error));
process.on("message", (question) => {
  answer(question).then(
    (told) => process.send({ type: "answer", answer: told }),
    (error) => process.send({ type: "answer", error: String(error) }),
  );
});
if (host.phase === "leading") process.send({ type: "leading" });

/** Code is found by its hash, and finds the packages beside it, as in the directory of a node. */
function prepareDirectory() {
  mkdirSync(join(dataDir, "blobs"), { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, "blobs", `${rulesBlob}.mjs`), compiled.bytes);
  symlinkSync(
    fileURLToPath(new URL("../../node_modules", import.meta.url)),
    join(dataDir, "node_modules"),
  );
}

async function listen() {
  const server = createServer();
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const started = await startMemberThread({
    dataDir,
    advertise: address,
    member: { id, cluster, founders },
    agencySize: Object.keys(founders).length,
    log: (line) => console.error(`${address}: ${line}`),
    onEnd: (reason) => fail(new Error(reason)),
  });
  server.on("request", (request, response) => {
    if (!started.handle(request, response)) response.writeHead(404).end();
  });
  server.on("upgrade", (request, socket, head) => {
    if (!started.upgrade(request, socket, head)) socket.destroy();
  });
  return started;
}

function hear(news) {
  switch (news.type) {
    case "leading":
      process.send({ type: "leading" });
      return;
    case "record":
      records += 1;
      return;
    case "ack":
      waiting.get(news.source)?.(news.sequence);
      return;
    case "gap":
      fail(new Error(`an event of ${news.source} was lost`));
      return;
    case "warning":
      console.error(`${address}: ${news.text}`);
      return;
  }
}

function fail(error) {
  console.error(`${address}: ${error.stack ?? error}`);
  process.exit(1);
}

async function answer(question) {
  if (question.type === "prepare") return prepare();
  return measure(question.sources, question.forMs);
}

async function prepare() {
  const schema = {
    type: "object",
    properties: { source: { type: "number" }, text: { type: "string" } },
    required: ["source", "text"],
  };
  const file = {
    name: "count",
    blob: rulesBlob,
    rules: ["count"],
    events: [{ type: "Said", version: 1, schema }],
  };
  const spec = { types: [], deployments: [], rules: [file], prune: false };
  const data = { operation: "apply-1", spec };
  const event = { type: "ClusterApplied", version: 1, data };
  const reply = await host.submit("apply-1", event, 10_000);
  if (reply.type !== "accepted") throw new Error(JSON.stringify(reply));
}

/** Each source sends its next event when the one before is durable. */
async function measure(sources, forMs) {
  const latencies = [];
  const recordsBefore = records;
  const start = performance.now();
  // A round has sources of its own, so that each begins with its first event.
  rounds += 1;
  const run = async (number) => {
    const source = `bench-${rounds}-${number}`;
    const event = { type: "Said", version: 1, data: { source: number, text } };
    for (let sequence = 1; performance.now() - start < forMs; sequence++) {
      const from = performance.now();
      const durable = new Promise((resolve) => waiting.set(source, resolve));
      host.events(source, 1, [{ sequence, event }]);
      await durable;
      latencies.push(performance.now() - from);
    }
    waiting.delete(source);
  };
  await Promise.all(Array.from({ length: sources }, (_, number) => run(number)));
  const ms = performance.now() - start;
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)];
  return {
    events: latencies.length,
    records: records - recordsBefore,
    ms,
    p50: at(0.5),
    p99: at(0.99),
  };
}
