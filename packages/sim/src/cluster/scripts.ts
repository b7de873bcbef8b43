import type { RestartPolicy } from "@halon/protocol";

/** What stops a service of itself: how it behaves when no fault meets it. Times in µs. */
export interface ServiceScript {
  /** From its start to `ready`. */
  readonly readyUs: number;
  /** From the request to stop to its end. */
  readonly stopUs: number;
  /** Until it answers what it is asked. */
  readonly answerUs: number;
  /** MiB that it takes. */
  readonly memoryMb: number;
}

/** Where a service is wanted; of a label the nodes that have `key=value`. */
export type SimPlacement =
  | { readonly type: "every" }
  | { readonly type: "any"; readonly replicas: number }
  | { readonly type: "label"; readonly label: string; readonly replicas?: number }
  | { readonly type: "node"; readonly node: string };

/** One service of a scenario: its type, its deployment and its script. */
export interface SimService {
  readonly name: string;
  readonly kind: "worker" | "process";
  readonly placement: SimPlacement;
  /** At most one in the whole cluster, under a keeper. */
  readonly exclusive: boolean;
  /** It shares this name with other types: of all of them one runs on a node at a time. */
  readonly serviceName?: string;
  readonly apart: readonly string[];
  readonly after: readonly string[];
  readonly prefer: readonly string[];
  readonly onNodeLoss: "move" | "wait";
  readonly restart: RestartPolicy;
  readonly stopTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly checkEveryMs: number;
  readonly livenessFailures: number;
  readonly script: ServiceScript;
}

/** What a configuration asks of a service beside what its author wrote: `bad` makes every start fail. */
export type SimConfig = { readonly version: number; readonly bad: boolean };
