import type { ApiPorts, EventCursor, EventQuery, NodeIdentity, RuleEntry } from "@halon/api";
import { runsOf } from "@halon/api";
import type { CoordinatorHost, HistoryQuery } from "@halon/coordinator";
import { dryRun } from "@halon/coordinator/core";
import { type EventEntry, fromErrorData, HalonError, type OperationStatus } from "@halon/protocol";
import type { BlobKeeper } from "./blob-keeper.ts";
import { clusterStatus, operationStatus } from "./core/index.ts";
import type { NodeProcessor } from "./processor/processor.ts";
import type { Replica } from "./replica.ts";
import type { ServiceLogs } from "./service-logs.ts";

/** A satellite looks for new events so often while somebody listens. */
const pollEveryMs = 500;
const pollLimit = 500;
/** History that cannot be read just now is asked for again. */
const retryMs = 250;
/** Entries that wait while history is read; when there are more, it is read again from where it ended. */
const heldMax = 10_000;

export interface PortsOptions {
  readonly role: "tracking" | "satellite";
  readonly replica: Replica;
  readonly blobs: Pick<BlobKeeper, "put" | "missing">;
  readonly logs: ServiceLogs;
  identity(): NodeIdentity;
  hello: ApiPorts["hello"];
  starting(): string | null;
  /** Name of the leader that has taken this node in; null while there is none. */
  leader(): string | null;
  /** Whether this node leads. */
  leads(): boolean;
  /** Errors: HAL_NO_LEADER. */
  coordinator(): CoordinatorHost;
  history(query: HistoryQuery): Promise<readonly EventEntry[]>;
  send: ApiPorts["send"];
  /** Undefined while the node starts. */
  processor(): Pick<NodeProcessor, "takes" | "take"> | undefined;
  notReady(): string | null;
  shutdown(options: { readonly keepServices: boolean }): void;
}

/** What the routes ask of this node. */
export function createPorts(options: PortsOptions): ApiPorts {
  const { replica, blobs, logs } = options;
  return {
    identity: options.identity,
    hello: options.hello,
    starting: options.starting,
    status: () =>
      clusterStatus(replica.view, {
        clusterId: options.identity().clusterId,
        leader: options.leader(),
        epoch: replica.epoch,
      }),
    graph: () => replica.view,
    staleness: () => ({
      revision: replica.view.revision,
      stalenessMs: options.leads() ? 0 : replica.stalenessMs,
    }),
    queryGraph: (expression) => replica.query(expression),
    exportGraph: (format) => replica.export(format),
    rules: () => ruleEntries(replica),
    dryRun: (service, on) => dryRun(replica.view, service, on),
    submit: async ({ id, type, version = newestVersion(replica, type), data }, timeoutMs) => {
      const reply = await options.coordinator().submit(id, { type, version, data }, timeoutMs);
      if (reply.type === "refused") throw fromErrorData(reply.error);
      if (reply.type === "gap" || reply.index === null)
        throw new HalonError("HAL_INTERNAL", `no index for event ${id}`);
      return { id, index: reply.index };
    },
    processes: (type) => options.processor()?.takes(type) ?? false,
    process: (events) => {
      const processor = options.processor();
      if (processor === undefined)
        throw new HalonError("HAL_OVERLOADED", "The node is starting. Try again in a second.");
      processor.take(events);
    },
    send: options.send,
    operation: (id) => operationOf(replica, id),
    waitOperation: (id, timeoutMs) => waitOperation(replica, id, timeoutMs),
    events: (query) => options.history(historyQuery(query)),
    subscribeEvents: (after, listener) =>
      options.role === "tracking"
        ? followHere(options, after, listener)
        : followByAsking(options, after, listener),
    deadLetters: () => options.coordinator().deadLetters(),
    plan: (request, timeoutMs) => options.coordinator().plan(request, timeoutMs),
    putBlob: (hash, bytes) => blobs.put(hash, bytes),
    missingBlobs: (hashes) => blobs.missing(hashes),
    logs: (service, lines) => logs.tail(service, lines),
    followLogs: (service, listener) => logs.follow(service, listener),
    shutdown: options.shutdown,
    live: () => true,
    notReady: options.notReady,
  };
}

/** The newest version of the type of event that a rule file declares; 1 for all others. */
function newestVersion(replica: Replica, type: string): number {
  const declared = replica.view
    .list("RuleFile")
    .flatMap(({ attributes }) => attributes.events.filter((event) => event.type === type));
  return Math.max(1, ...declared.map(({ version }) => version));
}

function ruleEntries(replica: Replica): readonly RuleEntry[] {
  return replica.view.list("RuleFile").flatMap(({ id, attributes }) => {
    const { blob, rules, quarantined, disabled } = attributes;
    const runs = runsOf(replica.view, id, attributes);
    const reason = disabled ?? quarantined;
    const inForce = quarantined === undefined ? ("enabled" as const) : ("quarantined" as const);
    return rules.map((rule) => ({
      rule: `${id}/${rule}`,
      file: id,
      blob,
      state: disabled === undefined ? inForce : ("disabled" as const),
      ...runs,
      ...(reason === undefined ? {} : { reason }),
    }));
  });
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

/** On a tracking node: what its journal has, then every record as it is committed, without a gap. */
function followHere(
  options: PortsOptions,
  after: EventCursor | undefined,
  listener: (entry: EventEntry) => void,
): () => void {
  const { events } = options.replica;
  const reader = readerOf(options, after, listener);
  /** Undefined while entries are given as they come. */
  let held: EventEntry[] | undefined;
  let isOverfull = false;
  const take = (entries: readonly EventEntry[]): void => {
    if (held === undefined) {
      for (const entry of entries) reader.give(entry);
      return;
    }
    isOverfull ||= held.length + entries.length > heldMax;
    if (!isOverfull) held.push(...entries);
  };
  const catchUp = async (): Promise<void> => {
    if (held !== undefined) return;
    do {
      held = [];
      isOverfull = false;
      await reader.readOn();
    } while (isOverfull);
    const waiting = held;
    held = undefined;
    for (const entry of waiting) reader.give(entry);
  };
  const jumped = (): void => void catchUp();
  events.on("entries", take);
  events.on("jumped", jumped);
  if (after !== undefined) void catchUp();
  return () => {
    reader.end();
    events.off("entries", take);
    events.off("jumped", jumped);
  };
}

/** On a satellite: the leader's journal, again and again. */
function followByAsking(
  options: PortsOptions,
  after: EventCursor | undefined,
  listener: (entry: EventEntry) => void,
): () => void {
  const reader = readerOf(options, after, listener);
  const poll = async (): Promise<void> => {
    while (!reader.isEnded) {
      await reader.readOn();
      await pause(pollEveryMs);
    }
  };
  void poll();
  return () => reader.end();
}

/** Gives each entry behind a place once, in order, from wherever it comes. */
interface Reader {
  readonly isEnded: boolean;
  give(entry: EventEntry): void;
  /** Gives all that history has; tried again until it can be read. */
  readOn(): Promise<void>;
  end(): void;
}

function readerOf(
  { replica, history }: PortsOptions,
  after: EventCursor | undefined,
  listener: (entry: EventEntry) => void,
): Reader {
  let cursor = after ?? { index: replica.index, position: Number.MAX_SAFE_INTEGER };
  let isEnded = false;
  const give = (entry: EventEntry): void => {
    if (isEnded || !isBehind(entry, cursor)) return;
    cursor = { index: entry.index, position: entry.position };
    listener(entry);
  };
  return {
    get isEnded() {
      return isEnded;
    },
    give,
    async readOn() {
      while (!isEnded) {
        try {
          const page = await history({ after: cursor, limit: pollLimit });
          for (const entry of page) give(entry);
          if (page.length < pollLimit) return;
        } catch {
          // No coordinator just now, or no leader: there will be one.
          await pause(retryMs);
        }
      }
    },
    end: () => {
      isEnded = true;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
