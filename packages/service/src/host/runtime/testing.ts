import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject, ServiceManifest } from "@halon/protocol";
import type { ActionOf, RuntimeEvent } from "./runtime.ts";

/** A manifest whose deadlines suit a test; `changes` replace its fields. */
export function manifestOf(changes: Partial<ServiceManifest> = {}): ServiceManifest {
  return {
    name: "good",
    serviceName: "good",
    version: "1.0.0",
    kind: "worker",
    blob: "0".repeat(64),
    files: [],
    configurationSchema: { type: "object", properties: {} },
    schemaHash: "1".repeat(64),
    resources: { Ticket: {} },
    restart: {
      resetAfterMs: 10_000,
      backoffMs: 100,
      backoffMaxMs: 30_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    },
    startTimeoutMs: 5_000,
    stopTimeoutMs: 2_000,
    checkEveryMs: 100,
    checkTimeoutMs: 200,
    thread: "own",
    requires: [],
    livenessFailures: 3,
    memoryMb: 64,
    ...changes,
  };
}

/** The command that starts one incarnation of a service on node-1. */
export function startAction(
  incarnation: number,
  manifest: ServiceManifest = manifestOf(),
  config: JsonObject = {},
): ActionOf<"StartService"> {
  return {
    type: "StartService",
    service: manifest.serviceName,
    instance: `${manifest.serviceName}@node-1#${incarnation}`,
    manifest,
    config: config as Record<string, never>,
    configHash: "2".repeat(64),
  };
}

/** What was emitted, and a way to wait for it with a deadline. */
export interface EventLog {
  readonly all: readonly RuntimeEvent[];
  emit(event: RuntimeEvent): void;
  /** The first event of the type, seen already or still to come. */
  next<T extends RuntimeEvent["type"]>(
    type: T,
    withinMs?: number,
  ): Promise<Extract<RuntimeEvent, { type: T }>["data"]>;
}

/** An empty log of events. */
export function createEventLog(): EventLog {
  const all: RuntimeEvent[] = [];
  const listeners = new Set<() => void>();
  return {
    all,
    emit(event) {
      all.push(event);
      for (const listener of [...listeners]) listener();
    },
    next(type, withinMs = 8_000) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = all.find((event) => event.type === type);
          if (found === undefined) return;
          listeners.delete(look);
          clearTimeout(timer);
          resolve(found.data as never);
        };
        const timer = setTimeout(() => {
          listeners.delete(look);
          const seen = JSON.stringify(all);
          reject(new Error(`no ${type} within ${withinMs} ms; seen were ${seen}`));
        }, withinMs);
        listeners.add(look);
        look();
      });
    },
  };
}

/** A fresh data directory. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "halon-service-"));
}
