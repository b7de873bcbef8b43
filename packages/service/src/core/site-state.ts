import type { Health } from "@halon/protocol";
import {
  type DeadlineEvent,
  type LifecycleSnapshot,
  type LifecycleState,
  stateOf,
} from "./lifecycle.ts";
import type { RuntimeEvent, SiteEffect } from "./site-effect.ts";
import type { ActionOf, AliveAnswer, InstanceSpec, SiteOptions } from "./site-input.ts";
import type { CheckOutcome, CheckSchedule } from "./supervision.ts";

/** One start of a service on this node, from its spawn to its end. */
export interface Instance {
  readonly spec: InstanceSpec;
  /** Null until its spawn is answered, which is in the turn that asked for it. */
  life: LifecycleSnapshot | null;
  /** Hash of the configuration that it has now. */
  configuration: string;
  health: Health;
  /** What the last check said beside its health. */
  healthDetail: string | undefined;
  /** Time that it was ready and healthy, without the stretch that lasts since `healthySince`. */
  healthyMs: number;
  healthySince: number | null;
  /** What it waits for AnswerTrouble with, by reference. */
  readonly troubles: Map<string, { readonly code: string; readonly reason: string }>;
  /** Ids of the commands that wait for it to be ready, and for its end. */
  readonly startCommands: Set<string>;
  readonly stopCommands: Set<string>;
  /** Keys of the deadlines of its life that are armed. */
  readonly deadlines: Set<string>;
}

/** A start that waits for the exit of an older incarnation. */
export interface WaitingStart {
  readonly action: ActionOf<"StartService">;
  readonly commands: ReadonlySet<string>;
}

/** An instance that is watched since it was ready, or since the supervisor began anew. */
export interface Watched {
  readonly instance: Instance;
  schedule: CheckSchedule;
  /** When it was last seen while it is killed. */
  killedAt: number | null;
}

/** For whom an instance is asked for its health. */
export type Purpose =
  | { readonly type: "schedule"; readonly watched: Watched; readonly beganAtMs: number }
  | {
      readonly type: "command";
      readonly command: string | undefined;
      /** What others say of it; it is ended when it gives no good answer. */
      readonly doubt: string | undefined;
    }
  | { readonly type: "probe"; readonly probe: number };

/** A question that has not been answered. */
export type Ask =
  | {
      readonly type: "health";
      readonly instance: Instance;
      readonly purpose: Purpose;
      outcome: CheckOutcome | null;
      alive: AliveAnswer | null;
    }
  | { readonly type: "status"; readonly instance: Instance; readonly command: string | undefined }
  | {
      readonly type: "reconfigure";
      readonly instance: Instance;
      readonly command: string | undefined;
      readonly configHash: string;
    };

/** What an armed deadline is for. */
export type Deadline =
  | { readonly type: "life"; readonly instance: Instance; readonly event: DeadlineEvent }
  | { readonly type: "check"; readonly watched: Watched }
  | { readonly type: "lease"; readonly instance: Instance }
  | { readonly type: "waitingStart"; readonly service: string }
  | { readonly type: "shutdown" };

/** What a site knows; its parts change it in place. */
export interface SiteState {
  readonly options: SiteOptions;
  /** All that have not exited. */
  readonly present: Map<string, Instance>;
  /** Those of them whose end was not told. */
  readonly instances: Map<string, Instance>;
  /** By what one instance a node can hold; a name is free only after its holder's exit. */
  readonly holders: Map<string, Instance>;
  /** By service. */
  readonly waiting: Map<string, WaitingStart>;
  /** Instances whose end was told, the latest of them last; none is started again. */
  readonly ended: Set<string>;
  readonly watched: Map<string, Watched>;
  /** Where the lease of each instance ends; also of starts that have not come. */
  readonly leases: Map<string, number>;
  readonly deadlines: Map<string, Deadline>;
  readonly asks: Map<number, Ask>;
  lastRef: number;
  lookedAt: number;
  looks: number;
  shutdown: "none" | "closing" | "closed";
  /** Instances of which it is not known yet whether they live on after the shutdown. */
  readonly releasing: Set<string>;
  /** Stop deadline of the slowest instance that the shutdown stops. */
  slowestMs: number;
}

/** One input: its time, and the effects that it has so far. */
export interface Turn {
  readonly now: number;
  readonly effects: SiteEffect[];
}

/** A site without instances. */
export function createState(options: SiteOptions, now: number): SiteState {
  return {
    options,
    present: new Map(),
    instances: new Map(),
    holders: new Map(),
    waiting: new Map(),
    ended: new Set(),
    watched: new Map(),
    leases: new Map(),
    deadlines: new Map(),
    asks: new Map(),
    lastRef: 0,
    lookedAt: now,
    looks: 0,
    shutdown: "none",
    releasing: new Set(),
    slowestMs: 0,
  };
}

/** An instance that is to be spawned, or that runs already. */
export function createInstance(spec: InstanceSpec, startCommands: ReadonlySet<string>): Instance {
  return {
    spec,
    life: null,
    configuration: spec.configHash,
    health: "unknown",
    healthDetail: undefined,
    healthyMs: 0,
    healthySince: null,
    troubles: new Map(),
    startCommands: new Set(startCommands),
    stopCommands: new Set(),
    deadlines: new Set(),
  };
}

/** Where the instance is in its life. */
export function stateOfInstance({ life }: Instance): LifecycleState {
  return life === null ? "loading" : stateOf(life);
}

/** Whether it is still the site's: it has not exited, and was not let go of. */
export function isHere(state: SiteState, instance: Instance): boolean {
  return state.present.get(instance.spec.instance) === instance;
}

/** Reports an event. */
export function emit(turn: Turn, event: RuntimeEvent): void {
  turn.effects.push({ type: "emit", event });
}

/** Arms a deadline; an armed one of that key is replaced. */
export function arm(
  state: SiteState,
  turn: Turn,
  key: string,
  { inMs, deadline }: { readonly inMs: number; readonly deadline: Deadline },
): void {
  state.deadlines.set(key, deadline);
  turn.effects.push({ type: "arm", key, inMs });
}

/** Disarms a deadline, if it is armed. */
export function disarm(state: SiteState, turn: Turn, key: string): void {
  if (state.deadlines.delete(key)) turn.effects.push({ type: "disarm", key });
}
