import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject, ServiceManifest } from "@halon/protocol";
import type { Lease, RunnerEvent, RunnerSpec } from "../runner.ts";
import { listMarked } from "./mark.ts";
import type { ProcessManifest } from "./record.ts";

/** For what hangs, not for what is slow: machines are shared. */
const waitMs = 30_000;

type EventOf<T extends RunnerEvent["type"]> = Extract<RunnerEvent, { type: T }>;

/** What a test hears of one runner. */
export interface Heard {
  readonly events: RunnerEvent[];
  readonly listener: (event: RunnerEvent) => void;
  /** The first event of a type, past or to come; rejects when it does not come in time. */
  next<T extends RunnerEvent["type"]>(type: T): Promise<EventOf<T>>;
  types(): readonly string[];
}

export function hear(): Heard {
  const events: RunnerEvent[] = [];
  const waiting = new Set<() => void>();
  return {
    events,
    listener(event) {
      events.push(event);
      for (const look of [...waiting]) look();
    },
    next: <T extends RunnerEvent["type"]>(type: T) =>
      new Promise<EventOf<T>>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`no ${type} within ${waitMs} ms, heard ${JSON.stringify(events)}`));
        }, waitMs);
        const look = () => {
          const found = events.find((event): event is EventOf<T> => event.type === type);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    types: () => events.map(({ type }) => type),
  };
}

/** Resolves when the condition holds; rejects at the deadline with what was waited for. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`after ${waitMs} ms still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A services directory of a test; `close` ends every process that was started under it. */
export interface Home {
  readonly path: string;
  spec(process: Partial<ProcessManifest>, options?: SpecOptions): RunnerSpec;
  close(): void;
}

export interface SpecOptions {
  readonly service?: string;
  readonly incarnation?: number;
  readonly config?: JsonObject;
  readonly manifest?: Partial<ServiceManifest>;
  readonly lease?: Lease;
}

export function openHome(): Home {
  const path = mkdtempSync(join(tmpdir(), "halon-process-"));
  return {
    path,
    spec(process, { service = "web", incarnation = 1, config = {}, manifest, lease } = {}) {
      const directory = join(path, service);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return {
        node: "node-1",
        service,
        instance: `${service}@node-1#${incarnation}`,
        manifest: { ...manifestOf(process), ...manifest },
        ...(lease === undefined ? {} : { lease }),
        config,
        configHash: "0".repeat(64),
        configValues: () => config,
        blobPath: (hash) => `/blobs/${hash}.mjs`,
        directory,
      };
    },
    close() {
      for (const { pid } of listMarked(path)) process.kill(pid, "SIGKILL");
      rmSync(path, { recursive: true, force: true });
    },
  };
}

export function manifestOf(process: Partial<ProcessManifest>): ServiceManifest {
  return {
    name: "web-type",
    serviceName: "web",
    version: "1.0.0",
    kind: "process",
    blob: "a".repeat(64),
    files: [],
    process: {
      command: ["sleep", "60"],
      env: {},
      ready: { type: "spawned" },
      check: { type: "alive" },
      liveness: { type: "alive" },
      stopSignal: "SIGTERM",
      outputBytesMax: 1_048_576,
      ...process,
    },
    configurationSchema: {},
    schemaHash: "b".repeat(64),
    resources: {},
    restart: {
      resetAfterMs: 10_000,
      backoffMs: 100,
      backoffMaxMs: 30_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    },
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    checkEveryMs: 1_000,
    checkTimeoutMs: 500,
    thread: "own",
    requires: [],
    livenessFailures: 3,
    memoryMb: 64,
  };
}
