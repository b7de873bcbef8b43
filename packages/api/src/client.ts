import {
  AlertEntry,
  type ClusterSpec,
  ClusterStatus,
  DeadLetterList,
  EventEntry,
  HalonError,
  OperationStatus,
  type Resource,
} from "@halon/protocol";
import { z } from "zod";
import type { ClusterPlan } from "./plan.ts";
import type { GraphFormat, RuleEntry, RuleFileView, StartDryRun } from "./ports.ts";
import type {
  ConfigRequest,
  DeadLetterRequest,
  EventRequest,
  MoveRequest,
  OptionsRequest,
  ReasonRequest,
  SendRequest,
  ServiceRequest,
} from "./request.ts";
import { readEvents } from "./sse.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";
import type { NodeView, ResourceView, ServiceView } from "./view.ts";

export type ServiceAction = "start" | "stop" | "restart" | "check" | "status";

export type NodeAction = "drain" | "resume" | "maintenance" | "remove";

/** `on` is of maintenance alone. */
export type NodeActionBody = ReasonRequest & { readonly on?: boolean };

/** Waiting for an operation: at its deadline the operation comes back as it is. */
export interface Waiting {
  readonly wait: boolean;
  readonly timeoutMs: number;
}

export interface EventFilter {
  readonly after?: string;
  readonly since?: string;
  readonly type?: string;
  readonly dead?: boolean;
  readonly limit?: number;
}

const Objects = z.array(z.record(z.string(), z.json()));

/** The routes of a cluster as functions. Errors are `HalonError`s with the code that the node gave. */
export type Client = ReturnType<typeof createClient>;

export function createClient(options: TransportOptions) {
  const transport = createTransport(options);
  const read = <T>(path: string, schema: z.ZodType<T>) =>
    transport.json({ method: "GET", path }, schema);
  const change = (path: string, body: unknown, { wait, timeoutMs }: Waiting, method = "POST") =>
    transport.json(
      {
        method,
        path: `${path}?wait=${wait}&timeout=${timeoutMs}ms`,
        body,
        // The answer comes at the deadline of the wait, so ours is later.
        timeoutMs: timeoutMs + 5_000,
      },
      OperationStatus.partial({ action: true, target: true, since: true }),
    );
  return {
    status: () => read("/v1/status", ClusterStatus),
    node: (name: string) => read(`/v1/nodes/${segment(name)}`, z.custom<NodeView>()),
    service: (name: string) => read(`/v1/services/${segment(name)}`, z.custom<ServiceView>()),
    types: () => read("/v1/types", Objects),
    type: (name: string) => read(`/v1/types/${segment(name)}`, z.record(z.string(), z.json())),
    instance: (id: string) => read(`/v1/instances/${segment(id)}`, z.custom<ResourceView>()),
    ...ruleCalls(read, change),
    ...nodeCalls(change),
    operation: (id: string) => read(`/v1/operations/${segment(id)}`, OperationStatus),
    ...serviceCalls(change),
    /** What a start would do on the node, or on each; nothing is changed. */
    dryRun: (service: string, on: string | undefined) => dryRun(transport, service, on),
    send: (service: string, body: SendRequest, timeoutMs: number) =>
      transport.json(
        {
          method: "POST",
          path: `/v1/services/${segment(service)}/send?timeout=${timeoutMs}ms`,
          body,
          timeoutMs: timeoutMs + 5_000,
        },
        z.object({ instance: z.string(), answer: z.json() }),
      ),
    configure: (service: string, body: ConfigRequest, waiting: Waiting) =>
      change(`/v1/services/${segment(service)}/config`, body, waiting, "PUT"),
    apply: (spec: ClusterSpec, reason: string | undefined, waiting: Waiting) =>
      change("/v1/apply", { spec, ...(reason === undefined ? {} : { reason }) }, waiting),
    ...planCalls(transport),
    ...deadLetterCalls(read, change),
    /** Sends those of the blobs that the cluster lacks; gives their number. */
    sendBlobs: (blobs: readonly { readonly hash: string; readonly bytes: Uint8Array }[]) =>
      sendBlobs(transport, blobs),
    emit: (event: EventRequest) =>
      transport.json(
        { method: "POST", path: "/v1/events", body: event },
        z.object({
          id: z.string(),
          /** Of its record; none of an event that the node took itself, `processedBy`. */
          index: z.number().optional(),
          processedBy: z.string().optional(),
        }),
      ),
    events: (filter: EventFilter) => read(`/v1/events${queryText(filter)}`, z.array(EventEntry)),
    /** Events from now on, or behind `after`; a lost connection is an error, with nothing missed before it. */
    tail: (after: string | undefined, signal: AbortSignal) => tail(transport, after, signal),
    query: (expression: string) =>
      read(`/v1/graph${queryText({ query: expression })}`, z.custom<readonly Resource[]>()),
    resource: (key: string) =>
      read(`/v1/graph${queryText({ resource: key })}`, z.custom<ResourceView>()),
    exportGraph: (format: GraphFormat) =>
      transport.text({ method: "GET", path: `/v1/graph?format=${format}` }),
    logs: (service: string, query: { readonly on?: string; readonly lines?: number }) =>
      transport.text({ method: "GET", path: `/logs/${segment(service)}${queryText(query)}` }),
    followLogs: (
      service: string,
      query: { readonly on?: string; readonly lines?: number },
      signal: AbortSignal,
    ) =>
      transport.stream({
        method: "GET",
        path: `/logs/${segment(service)}${queryText({ ...query, follow: true })}`,
        signal,
      }),
    version: () => read("/version", z.object({ version: z.string() })),
    shutdown: (body: { readonly keepServices: boolean }) =>
      transport.text({ method: "POST", path: "/shutdown", body }),
    close: () => transport.close(),
  };
}

function dryRun(
  transport: Transport,
  service: string,
  on: string | undefined,
): Promise<readonly StartDryRun[]> {
  const path = `/v1/services/${segment(service)}/start?dryRun=true`;
  const body = on === undefined ? {} : { on };
  return transport.json({ method: "POST", path, body }, z.custom<readonly StartDryRun[]>());
}

/** What people decide about nodes. */
function serviceCalls<T>(change: (path: string, body: unknown, waiting: Waiting) => T) {
  return {
    act: (service: string, action: ServiceAction, body: ServiceRequest, waiting: Waiting) =>
      change(`/v1/services/${segment(service)}/${action}`, body, waiting),
    move: (service: string, body: MoveRequest, waiting: Waiting) =>
      change(`/v1/services/${segment(service)}/move`, body, waiting),
  };
}

function nodeCalls<T>(change: (path: string, body: unknown, waiting: Waiting) => T) {
  return {
    actOnNode: (name: string, action: NodeAction, body: NodeActionBody, waiting: Waiting) =>
      change(`/v1/nodes/${segment(name)}/${action}`, body, waiting),
    resetBreaker: (body: ReasonRequest, waiting: Waiting) =>
      change("/v1/breaker/reset", body, waiting),
  };
}

/** Rules, and what people decide about their files. */
function ruleCalls<T>(
  read: <R>(path: string, schema: z.ZodType<R>) => Promise<R>,
  change: (path: string, body: unknown, waiting: Waiting) => T,
) {
  return {
    alerts: () => read("/v1/alerts", z.array(AlertEntry)),
    rules: () => read("/v1/rules", z.custom<readonly RuleEntry[]>()),
    ruleFile: (name: string) => read(`/v1/rules/${segment(name)}`, z.custom<RuleFileView>()),
    actOnRules: (
      file: string,
      action: "enable" | "disable",
      body: ReasonRequest,
      waiting: Waiting,
    ) => change(`/v1/rules/${segment(file)}/${action}`, body, waiting),
    setRuleOptions: (file: string, body: OptionsRequest, waiting: Waiting) =>
      change(`/v1/rules/${segment(file)}/options`, body, waiting),
  };
}

/** Dead letters, and what people decide about them. */
function deadLetterCalls<T>(
  read: <R>(path: string, schema: z.ZodType<R>) => Promise<R>,
  change: (path: string, body: unknown, waiting: Waiting) => T,
) {
  return {
    deadLetters: () => read("/v1/dead-letters", DeadLetterList),
    actOnDeadLetters: (action: "retry" | "drop", body: DeadLetterRequest, waiting: Waiting) =>
      change(`/v1/dead-letters/${action}`, body, waiting),
  };
}

function planCalls(transport: Transport) {
  return {
    /** What `apply` would change. */
    diff: (spec: ClusterSpec) =>
      transport.json(
        { method: "POST", path: "/v1/plan?actions=false", body: { spec } },
        z.custom<ClusterPlan>(),
      ),
    /** What `apply` would change, and what would follow. The code goes along as far as the cluster lacks it. */
    plan: (spec: ClusterSpec, code: ReadonlyMap<string, string>, timeoutMs: number) =>
      plan(transport, { spec, code }, timeoutMs),
  };
}

async function plan(
  transport: Transport,
  { spec, code }: { readonly spec: ClusterSpec; readonly code: ReadonlyMap<string, string> },
  timeoutMs: number,
): Promise<ClusterPlan> {
  const missing = await missingOf(transport, [...code.keys()]);
  const sent = missing.flatMap((hash) => {
    const text = code.get(hash);
    return text === undefined ? [] : [[hash, text] as const];
  });
  return transport.json(
    {
      method: "POST",
      path: `/v1/plan?timeout=${timeoutMs}ms`,
      body: { spec, code: Object.fromEntries(sent) },
      timeoutMs: timeoutMs + 5_000,
    },
    z.custom<ClusterPlan>(),
  );
}

async function missingOf(
  transport: Transport,
  hashes: readonly string[],
): Promise<readonly string[]> {
  const { missing } = await transport.json(
    { method: "POST", path: "/v1/blobs/missing", body: { hashes } },
    z.object({ missing: z.array(z.string()) }),
  );
  return missing;
}

async function sendBlobs(
  transport: Transport,
  blobs: readonly { readonly hash: string; readonly bytes: Uint8Array }[],
): Promise<number> {
  const missing = await missingOf(
    transport,
    blobs.map((blob) => blob.hash),
  );
  const wanted = new Set(missing);
  for (const { hash, bytes } of blobs) {
    if (!wanted.delete(hash)) continue;
    await transport.json(
      { method: "PUT", path: `/v1/blobs/${hash}`, bytes, timeoutMs: 60_000 },
      z.object({ hash: z.string() }),
    );
  }
  const [unknown] = wanted;
  if (unknown === undefined) return missing.length;
  throw new HalonError(
    "HAL_BLOB_MISSING",
    `The cluster asks for the blob ${unknown}, which is not here.`,
  );
}

async function* tail(
  transport: Transport,
  after: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<EventEntry> {
  const path = `/v1/events/stream${queryText({ after })}`;
  const bytes = await transport.stream({ method: "GET", path, signal });
  for await (const { data } of readEvents(bytes)) yield EventEntry.parse(JSON.parse(data));
}

function segment(name: string): string {
  return encodeURIComponent(name);
}

function queryText(query: object): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
