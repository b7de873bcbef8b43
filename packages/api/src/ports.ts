import type {
  ClusterConfig,
  ClusterSpec,
  ClusterStatus,
  DeadLetterList,
  EventEntry,
  GraphView,
  HelloRequest,
  Json,
  JsonObject,
  OperationStatus,
  PlannedActions,
  Resource,
} from "@halon/protocol";
import type { RuleFileOnNode } from "./processor-view.ts";

/** Who answers, and who leads. Endpoints are `host:port`. */
export interface NodeIdentity {
  /** Of its `setup.json`, for ever. */
  readonly id: string;
  readonly name: string;
  /** Empty while it belongs to no cluster. */
  readonly clusterId: string;
  readonly version: string;
  readonly endpoint: string;
  /** Null while no tracking node is known. */
  readonly leaderEndpoint: string | null;
  /** Null while it joins. */
  readonly role: "tracking" | "satellite" | null;
}

/** Answer to a hello: the configuration, or `host:port` of the node to say it to. */
export type HelloAnswer =
  | { readonly type: "config"; readonly config: ClusterConfig }
  | { readonly type: "redirect"; readonly address: string };

/** How old the read replica is; both numbers go out as headers of every read. */
export interface Staleness {
  readonly revision: number;
  readonly stalenessMs: number;
}

/** A place in the log of events, exclusive: reading goes on with the entry behind it. */
export interface EventCursor {
  readonly index: number;
  readonly position: number;
}

export interface EventQuery {
  readonly after?: EventCursor;
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly type?: string;
  /** Only events that no rule handled. */
  readonly dead?: boolean;
  /** With `after` or `since` the first so many, otherwise the last so many; oldest first. */
  readonly limit: number;
}

/** A line of `rule list`. */
export interface RuleEntry {
  /** `<file>/<rule>`. */
  readonly rule: string;
  readonly file: string;
  /** Hash of the file's code; null for rules that are part of Halon. */
  readonly blob: string | null;
  readonly state: "enabled" | "disabled" | "quarantined";
  /** Why it takes no part. */
  readonly reason?: string;
  /** Of a rule that runs on nodes. */
  readonly runs?: "node";
  /** Nodes that have the present version of its file in force, and all that are up. */
  readonly loadedOn?: number;
  readonly nodes?: number;
}

/** What `rule show` tells of a rule file. */
export interface RuleFileView extends Pick<RuleEntry, "file" | "state" | "reason"> {
  /** Hash of the file's code. */
  readonly blob: string;
  readonly rules: readonly string[];
  /** Types of event that it declares. */
  readonly events: readonly string[];
  /** What it was given, defaults included; absent: it takes none. */
  readonly options?: JsonObject;
  /** A JSON Schema of what it may be given. */
  readonly optionsSchema?: JsonObject;
  readonly invariants: readonly InvariantView[];
  readonly runs?: "node";
  /** Of a file that runs on nodes: how each has it. */
  readonly onNodes?: readonly RuleFileOnNode[];
}

/** What is known of an invariant of a rule file. */
export interface InvariantView {
  readonly invariant: string;
  readonly state: "holds" | "broken";
  /** Why it is broken. */
  readonly reason?: string;
}

/** What a start of a service on one node would do now. Its conditions are in the order in which they are looked at. */
export interface StartDryRun {
  readonly service: string;
  readonly node: string;
  readonly conditions: readonly {
    /** One word, such as `up` or `apart`. */
    readonly name: string;
    readonly holds: boolean;
    /** Without it the start is refused; without another one it waits. */
    readonly isHard: boolean;
    readonly detail: string;
  }[];
  readonly would: "start" | "nothing, it runs already" | "wait" | "refuse";
}

export type GraphFormat = "json" | "dot" | "graphml";

/**
 * What the routes need of the node that they run on.
 *
 * Reads are answered from the replica and do not wait. What changes something is called on the node that leads only:
 * others send such requests on to it. Refusals are thrown, or rejected with, as `HalonError`.
 */
export interface ApiPorts {
  identity(): NodeIdentity;
  /**
   * Takes the sender of a `POST /hello` into the cluster, or tells a `GET` (undefined) how far it is. Rejects with
   * `HAL_CONFLICT` when the sender cannot be taken, `HAL_NO_LEADER` when it has to ask again.
   */
  hello(request: HelloRequest | undefined): Promise<HelloAnswer>;
  /** Why only probes, `/id`, `/version` and `/hello` are answered yet, or null. */
  starting(): string | null;
  status(): ClusterStatus;
  graph(): GraphView;
  staleness(): Staleness;
  /** Resources at the far end of the expression. A wrong expression throws `HAL_BAD_REQUEST`. */
  queryGraph(expression: string): readonly Resource[];
  exportGraph(format: GraphFormat): string;
  rules(): readonly RuleEntry[];
  /**
   * What a start of the service would do, on the node or on each that is known; nothing is changed. Empty when no
   * cluster file names the service.
   */
  dryRun(service: string, on: string | undefined): readonly StartDryRun[];

  /**
   * Resolves when the effect of the event is committed, with the index of its record. The same id gives the same
   * answer. Without a version it is of the newest that is declared. Rejects with `HAL_TIMEOUT` at the deadline, when the outcome is unknown.
   */
  submit(
    event: {
      readonly id: string;
      readonly type: string;
      readonly version?: number;
      readonly data: Json;
    },
    timeoutMs: number,
  ): Promise<{ readonly id: string; readonly index: number }>;
  /** Whether rule files take events of the type on nodes: they come into no log. */
  processes(type: string): boolean;
  /**
   * Gives events to the processor of this node, all or none of them. Throws `HAL_OVERLOADED` when too many wait there,
   * `HAL_SCHEMA_VIOLATION`, and `HAL_CONFLICT` when the file that takes them is in quarantine here.
   */
  process(events: readonly { readonly type: string; readonly data: Json }[]): void;
  /**
   * Calls a message of a running instance of the service: the one on the node, or any. Its answer is not in the log.
   */
  send(
    service: string,
    message: {
      readonly on: string | undefined;
      /** This one and no other. */
      readonly instance: string | undefined;
      readonly message: string;
      readonly args: readonly Json[];
    },
    timeoutMs: number,
  ): Promise<{ readonly instance: string; readonly answer: Json }>;
  operation(id: string): OperationStatus | undefined;
  /** Waits for the end of the operation, and at the deadline gives it as it is; undefined when it never appeared. */
  waitOperation(id: string, timeoutMs: number): Promise<OperationStatus | undefined>;

  events(query: EventQuery): Promise<readonly EventEntry[]>;
  /**
   * Calls the listener with every entry behind `after`, or from now on when that is undefined, in order and
   * without gaps. Returns what ends it. The listener does not block.
   */
  subscribeEvents(
    after: EventCursor | undefined,
    listener: (entry: EventEntry) => void,
  ): () => void;

  /** Events that nothing has handled, as the leader has them. */
  deadLetters(): Promise<DeadLetterList>;
  /**
   * What would follow if the cluster file were applied now; nothing is changed or kept. `code`: of rule files that the cluster
   * lacks, by their hashes, which the caller has checked. Rejects with `HAL_CONFIG_INVALID` when it would be refused,
   * `HAL_FAILED` when code of a rule file does not end.
   */
  plan(
    request: { readonly spec: ClusterSpec; readonly code: ReadonlyMap<string, string> },
    timeoutMs: number,
  ): Promise<PlannedActions>;

  /** Keeps the bytes, whose hash the caller has checked; resolves when they are durable. */
  putBlob(hash: string, bytes: Uint8Array): Promise<void>;
  /** Those of the hashes that this node does not hold. */
  missingBlobs(hashes: readonly string[]): Promise<readonly string[]>;

  /** The last lines that the service of this node wrote; undefined when it never ran here. */
  logs(service: string, lines: number): Promise<string | undefined>;
  /** Calls the listener with text that the service writes from now on. Returns what ends it. */
  followLogs(service: string, listener: (text: string) => void): () => void;

  /** Begins to stop the node and returns at once. */
  shutdown(options: { readonly keepServices: boolean }): void;
  live(): boolean;
  /** Why the node is not ready, or null. */
  notReady(): string | null;
}
