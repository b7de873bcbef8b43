// Messages per second: within a thread, across threads, across nodes. Run after `npm run build`:
//   node bench/actor/actor.bench.mjs
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { connectLink, createSystem } from "../../packages/actor/dist/index.js";
import { behaviour } from "./counter.mjs";

const timeoutMs = 30_000;
const windowSize = 10_000;
const message = { type: "tick", n: 1 };
const rows = [];

/** Runs `work(count)` once to warm up and three times for the median; gives things per second. */
async function rate(count, work) {
  await work(Math.ceil(count / 4));
  const rates = [];
  for (let run = 0; run < 3; run++) {
    const startedAt = performance.now();
    await work(count);
    rates.push((count * 1_000) / (performance.now() - startedAt));
  }
  return rates.sort((a, b) => a - b)[1];
}

const oneWay = (system, to) => async (count) => {
  for (let sent = 0; sent < count; sent += windowSize) {
    for (let n = 0; n < windowSize; n++) system.send(to, message);
    await system.call(to, "count", { timeoutMs });
  }
};

const roundTrips = (system, to, inFlight) => async (count) => {
  const caller = async () => {
    for (let n = 0; n < count / inFlight; n++) await system.call(to, message, { timeoutMs });
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
};

/** Two processes that send one message back and forth, without promises. */
const pingPong = (system) => (count) =>
  new Promise((resolve) => {
    let left = count;
    const pong = system.spawn((self) => ({
      receive: (_message, meta) => void self.send(meta.from, message),
    }));
    const ping = system.spawn((self) => ({
      receive() {
        left -= 1;
        if (left > 0) self.send(pong, message);
        else {
          self.stop();
          system.exit(pong, "shutdown");
          resolve();
        }
      },
    }));
    system.send(ping, message);
  });

function row(name, value, beside = "") {
  rows.push([name, Math.round(value).toLocaleString("en"), beside]);
}

const system = createSystem({ node: "bench", incarnation: 1 });

async function sameThread() {
  const pid = system.spawn(behaviour, { mailboxMax: 2 * windowSize });
  const erlang = "Erlang, published:";
  row("one thread, one way", await rate(2_000_000, oneWay(system, pid)), `${erlang} 8,700,000`);
  row(
    "one thread, there and back by send",
    await rate(500_000, pingPong(system)),
    `${erlang} 1,570,000`,
  );
  row("one thread, call, one at a time", await rate(300_000, roundTrips(system, pid, 1)));
  row("one thread, call, 100 in flight", await rate(500_000, roundTrips(system, pid, 100)));
}

async function acrossThreads() {
  const bare = new Worker(new URL("bare-worker.mjs", import.meta.url));
  const answer = () => once(bare, "message");
  const bareOneWay = await rate(300_000, async (count) => {
    for (let sent = 0; sent < count; sent += windowSize) {
      for (let n = 1; n < windowSize; n++) bare.postMessage(message);
      bare.postMessage({ ask: true });
      await answer();
    }
  });
  const bareTrips = await rate(20_000, async (count) => {
    for (let n = 0; n < count; n++) {
      bare.postMessage({ ask: true });
      await answer();
    }
  });
  await bare.terminate();
  const { pid } = system.spawnInWorker(new URL("counter.mjs", import.meta.url), {
    mailboxMax: 100_000,
  });
  const sent = await rate(300_000, oneWay(system, pid));
  const trips = await rate(20_000, roundTrips(system, pid, 1));
  row("two threads, bare port, one way", bareOneWay);
  row("two threads, one way", sent, `${(sent / bareOneWay).toFixed(2)} of the bare port`);
  row("two threads, bare port, there and back", bareTrips);
  row(
    "two threads, call, one at a time",
    trips,
    `${(trips / bareTrips).toFixed(2)} of the bare port`,
  );
  row("two threads, call, 100 in flight", await rate(200_000, roundTrips(system, pid, 100)));
}

async function acrossNodes() {
  const peer = fork(fileURLToPath(new URL("peer.mjs", import.meta.url)));
  const [port] = await once(peer, "message");
  const hello = {
    protocol: 1,
    cluster: null,
    node: "bench",
    incarnation: 1,
    class: "control",
    address: "127.0.0.1:0",
  };
  const link = await connectLink({ url: `ws://127.0.0.1:${port}/_link`, hello });
  system.attach(link);
  const to = { name: "counter", node: "peer" };
  const pid = await system.whereisOn(to.name, to.node);
  const erlang = "Erlang, published:";
  row("two nodes, one way", await rate(300_000, oneWay(system, pid)), `${erlang} 764,000`);
  row("two nodes, call, one at a time", await rate(10_000, roundTrips(system, pid, 1)));
  row(
    "two nodes, call, 100 in flight",
    await rate(100_000, roundTrips(system, pid, 100)),
    `${erlang} 46,600`,
  );
  peer.disconnect();
}

await sameThread();
await acrossThreads();
await acrossNodes();
await system.close();

const widths = [0, 1, 2].map((at) => Math.max(...rows.map((cells) => cells[at].length)));
process.stdout.write(
  `Node ${process.version}; a message is ${JSON.stringify(message)}; per second, median of three\n\n`,
);
for (const [name, value, beside] of rows)
  process.stdout.write(`${name.padEnd(widths[0])}  ${value.padStart(widths[1])}  ${beside}\n`);
