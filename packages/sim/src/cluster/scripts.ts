import type { JsonObject, RestartPolicy, ServiceManifest } from "@halon/protocol";
import type { Prng } from "../prng.ts";
import type { Plight } from "./processes.ts";

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
  /** Beside these; absent: beside none. */
  readonly with?: readonly string[];
  /** Over the values of this label. */
  readonly spread?: string;
  /** Of an exclusive one: it moves when the fence command has confirmed. */
  readonly fence?: "command";
  readonly onNodeLoss: "move" | "wait";
  readonly restart: RestartPolicy;
  /** Kinds of resources that its type declares. */
  readonly resources?: readonly string[];
  readonly stopTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly checkEveryMs: number;
  readonly livenessFailures: number;
  readonly script: ServiceScript;
}

/** Which of the next starts of a service go wrong: by `<how>/<service>`, how many are left. */
export type ArmedStarts = Map<string, number>;

/** Whether this start goes wrong in that way; one less is left then. */
export function armedFor(armed: ArmedStarts, how: string, service: string): boolean {
  const key = `${how}/${service}`;
  const left = armed.get(key) ?? 0;
  if (left <= 1) armed.delete(key);
  else armed.set(key, left - 1);
  return left > 0;
}

const plain: ServiceScript = { readyUs: 20_000, stopUs: 10_000, answerUs: 1_000, memoryMb: 20 };

/** The script of one process: its service's, give or take a quarter. */
export function scriptOf(service: SimService | undefined, prng: Prng): ServiceScript {
  const script = service?.script ?? plain;
  const about = (us: number): number => us + prng.below((us >> 2) + 1);
  return {
    readyUs: about(script.readyUs),
    stopUs: about(script.stopUs),
    answerUs: about(script.answerUs),
    memoryMb: script.memoryMb,
  };
}

/** What a configuration says: `bad` makes every start with it fail. */
export function configOf(config: JsonObject): {
  readonly version: number;
  readonly isBad: boolean;
} {
  return { version: Number(config["version"] ?? 0), isBad: config["bad"] === true };
}

/** What one instance a node can hold: the name that its type declares, or its service's. */
export function exclusiveName(
  service: string,
  manifest: Pick<ServiceManifest, "name" | "serviceName">,
): string {
  return manifest.serviceName === manifest.name ? service : manifest.serviceName;
}

export function freshPlight(): Plight {
  return {
    hangsSinceUs: null,
    leaksSinceUs: null,
    failsChecksUntilUs: 0,
    ignoresStop: false,
    forks: false,
    trouble: null,
    end: "crashed",
    exitCode: 0,
  };
}
