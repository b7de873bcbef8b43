import type { ApiPorts, EventCursor, EventQuery, RuleEntry } from "@halon/api";
import type { Blobs, CoordinatorHost, HistoryQuery } from "@halon/coordinator";
import { type EventEntry, fromErrorData, HalonError, type OperationStatus } from "@halon/protocol";
import { clusterStatus, operationStatus } from "./core/index.ts";
import type { Replica } from "./replica.ts";
import type { ServiceLogs } from "./service-logs.ts";

/** A satellite looks for new events so often while somebody listens. */
const pollEveryMs = 500;
const pollLimit = 500;

export interface PortsOptions {
  readonly name: string;
  readonly version: string;
  readonly role: "tracking" | "satellite";
  readonly replica: Replica;
  readonly blobs: Blobs;
  readonly blobsHere: Set<string>;
  readonly logs: ServiceLogs;
  endpoint(): string;
  clusterId(): string;
  /** Name of the tracking node while it can be reached. */
  leader(): string | null;
  leaderEndpoint(): string | null;
  /** Throws HAL_NO_LEADER where there is none. */
  coordinator(): CoordinatorHost;
  history(query: HistoryQuery): Promise<readonly EventEntry[]>;
  send: ApiPorts["send"];
  notReady(): string | null;
  shutdown(options: { readonly keepServices: boolean }): void;
}

/** What the routes ask of this node. */
export function createPorts(options: PortsOptions): ApiPorts {
  const { replica, blobs, logs } = options;
  return {
    identity: () => ({
      name: options.name,
      clusterId: options.clusterId(),
      version: options.version,
      endpoint: options.endpoint(),
      leaderEndpoint: options.leaderEndpoint(),
      role: options.role,
    }),
    status: () =>
      clusterStatus(replica.view, {
        clusterId: options.clusterId(),
        leader: options.leader(),
        epoch: replica.epoch,
      }),
    graph: () => replica.view,
    staleness: () => ({
      revision: replica.view.revision,
      stalenessMs:
        options.role === "tracking" && options.leader() !== null ? 0 : replica.stalenessMs,
    }),
    queryGraph: (expression) => replica.query(expression),
    exportGraph: (format) => replica.export(format),
    rules: () => ruleEntries(replica),
    submit: async ({ id, type, data }, timeoutMs) => {
      const reply = await options.coordinator().submit(id, { type, version: 1, data }, timeoutMs);
      if (reply.type === "refused") throw fromErrorData(reply.error);
      if (reply.type === "gap" || reply.index === null)
        throw new HalonError("HAL_INTERNAL", `no index for event ${id}`);
      return { id, index: reply.index };
    },
    send: options.send,
    operation: (id) => operationOf(replica, id),
    waitOperation: (id, timeoutMs) => waitOperation(replica, id, timeoutMs),
    events: (query) => options.history(historyQuery(query)),
    subscribeEvents: (after, listener) =>
      options.role === "tracking"
        ? followHere(options, after, listener)
        : followByAsking(options, after, listener),
    putBlob: async (hash, bytes) => {
      await blobs.put(hash, bytes);
      options.blobsHere.add(hash);
    },
    missingBlobs: async (hashes) => hashes.filter((hash) => !options.blobsHere.has(hash)),
    logs: (service, lines) => logs.tail(service, lines),
    followLogs: (service, listener) => logs.follow(service, listener),
    shutdown: options.shutdown,
    live: () => true,
    notReady: options.notReady,
  };
}

function ruleEntries(replica: Replica): readonly RuleEntry[] {
  return replica.view.list("RuleFile").flatMap(({ id, attributes }) =>
    attributes.rules.map((rule) => ({
      rule: `${id}/${rule}`,
      file: id,
      blob: attributes.blob,
      state: attributes.quarantined === undefined ? ("enabled" as const) : ("quarantined" as const),
    })),
  );
}

function operationOf(replica: Replica, id: string): OperationStatus | undefined {
  const operation = replica.view.get("Operation", id);
  return operation === undefined ? undefined : operationStatus(operation);
}

function waitOperation(
  replica: Replica,
  id: string,
  timeoutMs: number,
): Promise<OperationStatus | undefined> {
  const ended = (): OperationStatus | undefined => {
    const found = operationOf(replica, id);
    return found?.state === "running" ? undefined : found;
  };
  const now = ended();
  if (now !== undefined) return Promise.resolve(now);
  return new Promise((resolve) => {
    const finish = (status: OperationStatus | undefined): void => {
      clearTimeout(late);
      replica.events.off("changed", look);
      resolve(status);
    };
    const look = (): void => {
      const status = ended();
      if (status !== undefined) finish(status);
    };
    const late = setTimeout(() => finish(operationOf(replica, id)), timeoutMs);
    replica.events.on("changed", look);
  });
}

function historyQuery(query: EventQuery): HistoryQuery {
  return {
    after: query.after,
    since: query.since,
    type: query.type,
    dead: query.dead,
    limit: query.limit,
  };
}

function isBehind(entry: EventCursor, cursor: EventCursor): boolean {
  return (
    entry.index > cursor.index || (entry.index === cursor.index && entry.position > cursor.position)
  );
}

/** On the tracking node: what the journal has, then every record as it is committed, without a gap. */
function followHere(
  options: PortsOptions,
  after: EventCursor | undefined,
  listener: (entry: EventEntry) => void,
): () => void {
  const { replica } = options;
  let cursor: EventCursor = after ?? { index: replica.index, position: Number.MAX_SAFE_INTEGER };
  let isLive = false;
  let isEnded = false;
  const held: EventEntry[] = [];
  const give = (entry: EventEntry): void => {
    if (!isBehind(entry, cursor)) return;
    cursor = { index: entry.index, position: entry.position };
    listener(entry);
  };
  const take = (entries: readonly EventEntry[]): void => {
    if (isLive) for (const entry of entries) give(entry);
    else held.push(...entries);
  };
  replica.events.on("entries", take);
  const catchUp = async (): Promise<void> => {
    if (after !== undefined)
      await replay(
        options,
        () => cursor,
        give,
        () => isEnded,
      );
    isLive = true;
    for (const entry of held.splice(0)) give(entry);
  };
  void catchUp().catch(() => {
    // The journal cannot be read just now; what comes is still told.
    isLive = true;
  });
  return () => {
    isEnded = true;
    replica.events.off("entries", take);
  };
}

async function replay(
  options: PortsOptions,
  cursor: () => EventCursor,
  give: (entry: EventEntry) => void,
  isEnded: () => boolean,
): Promise<void> {
  for (;;) {
    const page = await options.history({ after: cursor(), limit: pollLimit });
    for (const entry of page) give(entry);
    if (page.length < pollLimit || isEnded()) return;
  }
}

function followByAsking(
  options: PortsOptions,
  after: EventCursor | undefined,
  listener: (entry: EventEntry) => void,
): () => void {
  let cursor: EventCursor = after ?? {
    index: options.replica.index,
    position: Number.MAX_SAFE_INTEGER,
  };
  let isEnded = false;
  const give = (entry: EventEntry): void => {
    if (isEnded || !isBehind(entry, cursor)) return;
    cursor = { index: entry.index, position: entry.position };
    listener(entry);
  };
  const poll = async (): Promise<void> => {
    while (!isEnded) {
      await replay(
        options,
        () => cursor,
        give,
        () => isEnded,
      ).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, pollEveryMs));
    }
  };
  void poll();
  return () => {
    isEnded = true;
  };
}
