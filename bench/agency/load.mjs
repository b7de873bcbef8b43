// Load in a process of its own: node load.mjs '<job as JSON>' prints its result as one line of JSON.
import { pathToFileURL } from "node:url";
import { openGrpc, putRequest, rangeRequest } from "./grpc.mjs";
import { openHttp1, request } from "./http1.mjs";

export const keyCount = 10_000;
/** With fewer or more, etcd does less. */
const grpcConnections = 8;
const value = "v".repeat(64) + "0123456789abcdef".repeat(12);
const bodyAt = (answer) => answer.indexOf("\r\n\r\n") + 4;

const key = (at) => `/bench/k${String(at % keyCount).padStart(5, "0")}`;
/** A key of `keys`, far from the one before. */
const spread = (at, keys) => (at * 7_919) % keys;
const base64 = (text) => Buffer.from(text).toString("base64");
const agencyWrite = (at) => `[{"${key(at)}":{"op":"set","new":"${value}"}}]`;
const wrote = (answer) =>
  answer.latin1Slice(bodyAt(answer), bodyAt(answer) + 12) === '{"results":[' &&
  answer[bodyAt(answer) + 12] !== 48;

/** What each kind of job sends and what it takes for an answer; `units` is what one request counts. */
export const kinds = {
  "agency-write": {
    path: "/_api/agency/write",
    body: (at) => `[${agencyWrite(at)}]`,
    accepts: wrote,
  },
  "agency-batch": {
    path: "/_api/agency/write",
    body: (at) => `[${Array.from({ length: 100 }, (_, n) => agencyWrite(at * 100 + n)).join()}]`,
    accepts: wrote,
    units: 100,
    made: 100,
  },
  "agency-flat": {
    path: "/_api/agency/write",
    body: (at, { keys }) => `[[{"/flat/k${spread(at, keys)}":{"op":"set","new":${at}}}]]`,
    accepts: wrote,
  },
  "agency-nested": {
    path: "/_api/agency/write",
    body: (at, { keys }) => {
      const key = spread(at, keys);
      return `[[{"/nested/a${key % 1_000}/b${Math.floor(key / 1_000)}":{"op":"set","new":${at}}}]]`;
    },
    accepts: wrote,
  },
  "agency-read": {
    path: "/_api/agency/read",
    body: (at) => `[["${key(at)}"]]`,
    accepts: (answer) => answer.length > value.length,
  },
  "gateway-put": {
    path: "/v3/kv/put",
    body: (at) => `{"key":"${base64(key(at))}","value":"${base64(value)}"}`,
    accepts: () => true,
  },
  "gateway-range": {
    path: "/v3/kv/range",
    body: (at) => `{"key":"${base64(key(at))}"}`,
    accepts: (answer) => answer.length > value.length,
  },
  "grpc-put": { grpc: "/etcdserverpb.KV/Put", message: (at) => putRequest(key(at), value) },
  "grpc-range": { grpc: "/etcdserverpb.KV/Range", message: (at) => rangeRequest(key(at)) },
};

/** Bytes of each request, made beforehand. */
function make(job) {
  const kind = kinds[job.kind];
  const bytes = (at) =>
    kind.message?.(at) ?? request(kind.path, `${job.host}:${job.port}`, kind.body(at, job));
  return Array.from({ length: kind.made ?? keyCount }, (_, at) => bytes(at));
}

/** Each client begins its next request when it has the answer to the one before. */
export async function run(job) {
  const requests = make(job);
  const latencies = [];
  const begunAt = new Float64Array(job.clients);
  const state = {
    next: 0,
    errors: 0,
    done: 0,
    measureFrom: Infinity,
    endAt: Infinity,
    busy: job.clients,
  };
  const { promise, resolve, reject } = withResolvers();
  const total = job.count ?? Infinity;
  let cpu;
  const begin = (slot, connection) => {
    begunAt[slot] = performance.now();
    const at = state.next++;
    connection.send(requests[at % requests.length], slot);
  };
  const answered = (slot, connection, accepted) => {
    const now = performance.now();
    if (begunAt[slot] >= state.measureFrom) {
      if (accepted) latencies.push(now - begunAt[slot]);
      else state.errors++;
    }
    state.done++;
    if (now < state.endAt && state.next < total) return begin(slot, connection);
    if (--state.busy === 0) resolve();
  };
  const connections = await openAll(job, answered, reject);
  const start = performance.now();
  state.measureFrom = start + job.warmMs;
  state.endAt = job.count === undefined ? state.measureFrom + job.forMs : Infinity;
  setTimeout(() => {
    cpu = process.cpuUsage();
  }, job.warmMs);
  for (const { connection, slots } of connections)
    for (const slot of slots) begin(slot, connection);
  await promise;
  const ms = performance.now() - state.measureFrom;
  const used = process.cpuUsage(cpu);
  for (const { connection } of connections) connection.close();
  const generatorCpu = (used.user + used.system) / 1_000 / ms;
  return { ...summary(job, latencies, ms), errors: state.errors, done: state.done, generatorCpu };
}

function summary(job, latencies, ms) {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  const units = kinds[job.kind].units ?? 1;
  const perSecond = (sorted.length * units * 1_000) / ms;
  return { perSecond, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** gRPC clients share connections; an HTTP/1.1 client has its own. */
async function openAll(job, answered, reject) {
  const kind = kinds[job.kind];
  const perConnection = kind.grpc === undefined ? 1 : Math.ceil(job.clients / grpcConnections);
  const opened = [];
  for (let from = 0; from < job.clients; from += perConnection) {
    const length = Math.min(perConnection, job.clients - from);
    const slots = Array.from({ length }, (_, n) => from + n);
    opened.push(
      new Promise((resolve) => {
        const events = {
          onOpen: () => resolve({ connection, slots }),
          onClose: (error) => reject(error ?? new Error("the server closed a connection")),
        };
        const connection =
          kind.grpc === undefined
            ? openHttp1(job, {
                ...events,
                onAnswer: (status, answer) =>
                  answered(from, connection, status === 200 && kind.accepts(answer)),
              })
            : openGrpc(
                { ...job, path: kind.grpc },
                { ...events, onAnswer: (slot, bytes) => answered(slot, connection, bytes > 5) },
              );
      }),
    );
  }
  return Promise.all(opened);
}

function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2]))));
}
