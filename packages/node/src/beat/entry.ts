// Imports stay few: this thread starts with every node.
import { createSocket, type Socket } from "node:dgram";
import { parentPort, workerData } from "node:worker_threads";
import { nowMs } from "./clock.ts";
import { markBeats, readProgress } from "./progress.ts";
import type { BeatThreadData, FromBeatThread, ThreadArrival, ToBeatThread } from "./thread-wire.ts";
import { decodeBeat, encodeBeat } from "./wire.ts";

const turnMs = 50;
const beatEveryMs = 100;
/** Later than this it says so. */
const lateMs = 250;
/** Beats that wait to be told; more of them in one turn are a flood. */
const arrivalsMax = 10_000;

const parent = parentPort;
if (parent === null) throw new Error("the entry of beats runs in a worker thread only");
const data = workerData as BeatThreadData;
const { node, incarnation, cluster, progress } = data;
const tell = (message: FromBeatThread): void => parent.postMessage(message);
let peers: Extract<ToBeatThread, { type: "peers" }> = {
  type: "peers",
  targets: [],
  nodes: new Map(),
};
let arrivals: ThreadArrival[] = [];
let sequence = 0;
let turnedAt = nowMs();
let sentAt = -Infinity;

let socket = open(data.listen.port, null);
const turns = setInterval(turn, turnMs);
turn();

parent.on("message", (message: ToBeatThread) => {
  switch (message.type) {
    case "peers":
      peers = message;
      return;
    case "refresh":
      // After the poll phase: what waits at the socket has been read by then.
      setImmediate(() => {
        flush();
        tell({ type: "refreshed", ref: message.ref });
      });
      return;
    case "stop":
      clearInterval(turns);
      socket.close();
      parent.close();
      return;
  }
});

function turn(): void {
  const now = nowMs();
  const overMs = now - turnedAt - turnMs;
  turnedAt = now;
  markBeats(progress, now);
  if (overMs >= lateMs) tell({ type: "late", ms: overMs });
  // A little less than the interval: timers may be early by a fraction of a ms.
  if (now - sentAt >= beatEveryMs - 5) beat(now);
  flush();
}

function beat(now: number): void {
  sentAt = now;
  sequence += 1;
  const bytes = encodeBeat(
    { node, incarnation, sequence, counters: readProgress(progress) },
    cluster,
  );
  // A target that cannot be reached just now is no fault: it is tried again with the next beat.
  for (const { address, port } of peers.targets) socket.send(bytes, port, address, () => undefined);
}

function take(bytes: Buffer): void {
  const heard = decodeBeat(bytes, cluster);
  if (heard === null || arrivals.length >= arrivalsMax) return;
  const known = peers.nodes.get(heard.node);
  if (known === undefined || heard.incarnation < known) return;
  arrivals.push({
    node: heard.node,
    incarnation: heard.incarnation,
    at: nowMs(),
    counters: heard.counters,
  });
}

function flush(): void {
  if (arrivals.length === 0) return;
  tell({ type: "heard", arrivals });
  arrivals = [];
}

/** Binds there; where that fails, anywhere: what this node sends is heard all the same. */
function open(port: number, because: string | null): Socket {
  const { host } = data.listen;
  const opened = createSocket(host.includes(":") ? "udp6" : "udp4");
  let isBound = false;
  opened.on("message", take);
  opened.on("listening", () => {
    isBound = true;
    tell({ type: "bound", port: opened.address().port, reason: because });
  });
  opened.on("error", (error) => {
    // Of a socket that works an error is about one datagram; without any socket this thread has nothing to do.
    if (isBound) return;
    if (because !== null) throw error;
    opened.close();
    socket = open(0, error.message);
  });
  opened.bind({ address: host, port, exclusive: true });
  return opened;
}
