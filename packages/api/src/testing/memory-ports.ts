import {
  type ClusterConfig,
  type ClusterStatus,
  type DeadLetterEntry,
  type EventEntry,
  type GraphView,
  HalonError,
  type OperationStatus,
  type PlannedActions,
  type Resource,
} from "@halon/protocol";
import type { ApiPorts, EventCursor, NodeIdentity, StartDryRun } from "../ports.ts";

const hash = "0".repeat(64);

const nodeId = "7b3f2c1e-2a7d-4b56-9a0e-6a1d4f0c9e11";

const config: ClusterConfig = {
  clusterId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  agencySize: 1,
  store: "embedded",
  complete: true,
  peers: [{ id: nodeId, name: "node-1", address: "127.0.0.1:1", role: "tracking" }],
};

const identity: NodeIdentity = {
  id: nodeId,
  name: "node-1",
  clusterId: "c1",
  version: "0.1.0",
  endpoint: "127.0.0.1:1",
  leaderEndpoint: "127.0.0.1:1",
  role: "tracking",
};

const resources: readonly Resource[] = [
  resource("Cluster", "c1", { name: "c1", createdAt: 0 }),
  resource("Deployment", "web", { type: "web", on: "every-node", onNodeLoss: "wait" }),
  resource("Node", "node-1", {
    address: "127.0.0.1:1",
    role: "tracking",
    state: "up",
    incarnation: 1,
    labels: {},
    version: "0.1.0",
    since: 0,
  }),
  resource("Service", "web", { serviceName: "web", version: "1.0.0", kind: "worker", blob: hash }),
  resource("ServiceName", "web@node-1", {
    service: "web",
    node: "node-1",
    incarnation: 1,
    restarts: 0,
  }),
  resource("RuleFile", "mine", {
    blob: hash,
    rules: ["one", "two"],
    events: [{ type: "Alarm", version: 1, schema: {} }],
    options: { errors: 5 },
    optionsSchema: { type: "object", properties: { errors: { type: "integer", default: 3 } } },
    edition: 1,
    invariants: ["few"],
    quarantined: "its rules threw on 5 events in a row",
  }),
  resource("Configuration", hash, { value: { greeting: "hi" } }),
  resource("Schema", "s1", {
    schema: {
      type: "object",
      properties: {
        greeting: { type: "string" },
        token: { type: "object", "x-halon-secret": true },
      },
      additionalProperties: false,
    },
  }),
];

const relations = [
  { from: "Service/web", name: "accepts", to: "Schema/s1" },
  { from: "ServiceName/web@node-1", name: "wants", to: `Configuration/${hash}` },
  { from: "Node/node-1", name: "provides", to: "ServiceName/web@node-1" },
] as const;

const letters: DeadLetterEntry[] = [
  letter("e-1", { reason: "no rule is on Told" }),
  letter("node/node-1:1:7", { reason: "Error: cannot take 7", rule: "mine/one", attempts: 3 }),
  letter("9-2", {
    type: "Slow",
    reason: "Error: late",
    rule: "mine/two",
    final: "its pattern had counted the event",
  }),
];

function letter(id: string, given: Partial<DeadLetterEntry>): DeadLetterEntry {
  const time = "2026-01-01T00:00:00.000Z";
  const event = { id, type: "Told", version: 1, source: "client/test", data: {} };
  return { ...event, index: 9, time, reason: "", attempts: 1, ...given };
}

const actions: PlannedActions = {
  rules: { items: [{ rule: "builtin/cluster-applied", why: "applied", times: 1 }], more: 0 },
  resources: { items: [{ action: "add", key: "ServiceInstance/web@node-1#2" }], more: 3 },
  commands: {
    items: [{ command: "StartService", target: "web@node-1#2", node: "node-1" }],
    more: 0,
  },
  events: { items: [{ type: "ServiceMoved", rule: "builtin/node-lost", times: 2 }], more: 0 },
  failures: [],
};

const status: ClusterStatus = {
  cluster: { id: "c1", leader: "node-1", epoch: 1, revision: 7, state: "healthy" },
  nodes: [
    {
      name: "node-1",
      address: "127.0.0.1:1",
      role: "tracking",
      state: "up",
      since: "2026-01-01T00:00:00.000Z",
      labels: {},
    },
  ],
  services: [],
  alerts: [
    {
      ...{ alert: "mine/full", key: "full", rule: "mine/one", severity: "warning" },
      ...{ text: "a disk is full", since: "2026-01-01T00:00:00.000Z", count: 1 },
    },
  ],
};

/** A cluster of one node in memory: the second implementation of what the routes need. */
export function memoryPorts(overrides: Partial<ApiPorts> = {}) {
  const events: EventEntry[] = [];
  const listeners = new Set<(entry: EventEntry) => void>();
  const blobs = new Map<string, Uint8Array>();
  const operations = new Map<string, OperationStatus>();
  const submitted: { readonly id: string; readonly type: string; readonly data: unknown }[] = [];
  const shutdowns: boolean[] = [];
  const processed: { readonly type: string; readonly data: unknown }[] = [];
  const ports: ApiPorts = {
    identity: () => identity,
    starting: () => null,
    hello: () => Promise.resolve({ type: "config", config }),
    status: () => status,
    graph: () => graphView,
    staleness: () => ({ revision: 7, stalenessMs: 3.4 }),
    queryGraph: (expression) => {
      if (expression !== "Node") throw new HalonError("HAL_BAD_REQUEST", "Expected a kind.");
      return resources.filter(({ kind }) => kind === "Node");
    },
    exportGraph: (format) => `the graph as ${format}`,
    dryRun: startDryRun,
    rules: () => [{ rule: "builtin/x", file: "builtin", blob: null, state: "enabled" }],
    processes: (type) => type === "Sampled",
    process: (events) => void processed.push(...events),
    submit: (event) => {
      if (event.type === "Unheard") {
        return Promise.reject(new HalonError("HAL_EVENT_UNKNOWN", "Nobody declares Unheard."));
      }
      submitted.push(event);
      operations.set(event.id, {
        operation: event.id,
        action: "start",
        target: "web",
        state: "done",
        waiting: [],
        since: "2026-01-01T00:00:00.000Z",
      });
      return Promise.resolve({ id: event.id, index: submitted.length });
    },
    operation: (id) => operations.get(id),
    waitOperation: (id) => Promise.resolve(operations.get(id)),
    deadLetters: () => Promise.resolve({ letters, dropped: 2, waiting: 0 }),
    plan: () => Promise.resolve(actions),
    events: ({ after, limit }) =>
      Promise.resolve(events.filter((entry) => isBehind(entry, after)).slice(0, limit)),
    subscribeEvents: (after, listener) => {
      if (after !== undefined)
        for (const entry of events) if (isBehind(entry, after)) listener(entry);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    putBlob: (name, bytes) => Promise.resolve(void blobs.set(name, bytes)),
    missingBlobs: (hashes) => Promise.resolve(hashes.filter((name) => !blobs.has(name))),
    send: (service, { on, message, args }) =>
      Promise.resolve({ instance: `${service}@${on ?? "node-1"}#1`, answer: [message, ...args] }),
    logs: (service) => Promise.resolve(service === "web" ? "line\n" : undefined),
    followLogs: (_, listener) => {
      listener("more\n");
      return () => undefined;
    },
    shutdown: ({ keepServices }) => void shutdowns.push(keepServices),
    live: () => true,
    notReady: () => null,
    ...overrides,
  };
  const publish = (index: number) => {
    const entry = entryOf(index);
    events.push(entry);
    for (const listener of listeners) listener(entry);
  };
  return {
    ports,
    processed,
    submitted,
    shutdowns,
    blobs,
    publish,
    subscribers: () => listeners.size,
  };
}

function startDryRun(service: string, on = "node-1"): readonly StartDryRun[] {
  const holds = on === "node-1";
  const detail = holds ? `${on} is known` : `there is no node ${on}, there are node-1`;
  const conditions = [{ name: "node", holds, isHard: true, detail }];
  return [{ service, node: on, conditions, would: holds ? "start" : "refuse" }];
}

const graphView: GraphView = {
  revision: 7,
  get: ((kind: string, id: string) => find(`${kind}/${id}`)) as GraphView["get"],
  list: ((kind: string, where: Record<string, unknown> = {}) =>
    resources.filter(
      ({ kind: k, attributes }) =>
        k === kind && Object.entries(where).every(([name, value]) => attributes[name] === value),
    )) as GraphView["list"],
  out: ((from: string, name: string, kind?: string) =>
    relations
      .filter((relation) => relation.from === from && relation.name === name)
      .flatMap(({ to }) => find(to) ?? [])
      .filter((found) => kind === undefined || found.kind === kind)) as GraphView["out"],
  in: ((to: string, name: string, kind?: string) =>
    relations
      .filter((relation) => relation.to === to && relation.name === name)
      .flatMap(({ from }) => find(from) ?? [])
      .filter((found) => kind === undefined || found.kind === kind)) as GraphView["in"],
  related: () => false,
  relations: () => [],
};

function find(key: string): Resource | undefined {
  return resources.find(({ kind, id }) => `${kind}/${id}` === key);
}

function resource(kind: string, id: string, attributes: Resource["attributes"]): Resource {
  return { kind, id, attributes };
}

function isBehind(entry: EventEntry, after: EventCursor | undefined): boolean {
  if (after === undefined) return true;
  return (
    entry.index > after.index || (entry.index === after.index && entry.position > after.position)
  );
}

function entryOf(index: number): EventEntry {
  return {
    index,
    position: 0,
    id: `e${index}`,
    type: "Test",
    source: "client/test",
    time: "2026-01-01T00:00:00.000Z",
    logTime: index,
    data: {},
    rules: [],
  };
}
