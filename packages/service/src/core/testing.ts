import type { ServiceManifest } from "@halon/protocol";
import { Site } from "./site.ts";
import type { RuntimeEvent, SiteEffect } from "./site-effect.ts";
import type { ActionOf } from "./site-input.ts";

/** A manifest whose deadlines suit a test; `changes` replace its fields. */
export function manifestOf(changes: Partial<ServiceManifest> = {}): ServiceManifest {
  return {
    name: "web",
    serviceName: "web",
    version: "1.0.0",
    kind: "process",
    blob: "0".repeat(64),
    files: [],
    configurationSchema: { type: "object", properties: {} },
    schemaHash: "1".repeat(64),
    resources: {},
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
    checkEveryMs: 1_000,
    checkTimeoutMs: 200,
    thread: "own",
    requires: [],
    livenessFailures: 3,
    memoryMb: 64,
    ...changes,
  };
}

/** The instance of a service on node-1. */
export function instanceOf(incarnation: number, service = "web"): string {
  return `${service}@node-1#${incarnation}`;
}

/** The command that starts it. */
export function startOf(
  incarnation: number,
  { service = "web", ...changes }: Partial<ServiceManifest> & { readonly service?: string } = {},
): ActionOf<"StartService"> {
  return {
    type: "StartService",
    service,
    instance: instanceOf(incarnation, service),
    manifest: manifestOf(changes),
    config: {},
    configHash: "2".repeat(64),
  };
}

/** A site, and what it asked for and told; a spawn is answered at once. */
export class Stage {
  readonly site = new Site(
    { node: "node-1", checkConfig: (_, config) => ({ type: "valid", config }) },
    0,
  );
  readonly effects: SiteEffect[] = [];
  now = 0;
  /** Says why an instance cannot be spawned. */
  spawnFails: (instance: string) => string | undefined = () => undefined;

  /** Gives an input and notes its effects. */
  give(input: (site: Site, now: number) => readonly SiteEffect[]): void {
    for (const effect of input(this.site, this.now)) {
      this.effects.push(effect);
      if (effect.type !== "spawn") continue;
      const { instance } = effect.spawn;
      const reason = this.spawnFails(instance);
      this.give((site, now) =>
        reason === undefined
          ? site.spawned(instance, now)
          : site.spawnFailed(instance, "HAL_SERVICE_START", reason, now),
      );
    }
  }

  start(action: ActionOf<"StartService">, command?: string): void {
    this.give((site, now) => site.perform(action, command, now));
  }

  stop(incarnation: number, command?: string, service = "web"): void {
    const instance = instanceOf(incarnation, service);
    const action = { type: "StopService", service, instance, reason: "test" } as const;
    this.give((site, now) => site.perform(action, command, now));
  }

  ready(incarnation: number): void {
    this.give((site, now) => site.heard(instanceOf(incarnation), { type: "ready" }, now));
  }

  exited(incarnation: number): void {
    const event = { type: "exited", exit: { code: 1, signal: null }, reason: "gone" } as const;
    this.give((site, now) => site.heard(instanceOf(incarnation), event, now));
  }

  /** Effects of a type, oldest first. */
  all<T extends SiteEffect["type"]>(type: T): Extract<SiteEffect, { type: T }>[] {
    return this.effects.filter(
      (effect): effect is Extract<SiteEffect, { type: T }> => effect.type === type,
    );
  }

  /** The last effect of a type. */
  last<T extends SiteEffect["type"]>(type: T): Extract<SiteEffect, { type: T }> {
    const found = this.all(type).at(-1);
    if (found === undefined) throw new Error(`expected the effect ${type}`);
    return found;
  }

  /** What was reported. */
  told(): readonly RuntimeEvent[] {
    return this.all("emit").map(({ event }) => event);
  }
}
