import type { builtInEvents, DataOf, Health, JsonObject } from "@halon/protocol";
import type { ActionOf, InstanceSpec } from "./site-input.ts";

type Reported =
  | "ServiceStarted"
  | "ServiceCouldNotStart"
  | "ServiceStopped"
  | "ServiceFailed"
  | "ServiceExited"
  | "ServiceTrouble"
  | "TroubleAnswered"
  | "ServiceHealthChanged"
  | "ServiceChecked"
  | "ServiceReported"
  | "ServiceReconfigured"
  | "ResourceAcquired"
  | "ResourceReleased"
  | "CommandRefused";

/** What the runtime tells: an event of the protocol, not yet numbered. */
export type RuntimeEvent = {
  [T in Reported]: { readonly type: T; readonly data: DataOf<(typeof builtInEvents)[T]> };
}[Reported];

/** An instance that is to be brought to life. */
export interface Spawn extends InstanceSpec {
  /** As its schema takes it, with defaults. */
  readonly config: JsonObject;
}

/** What an instance answered; `unknown`: nothing, in time. */
export interface Answer {
  readonly health: Health;
  readonly detail?: string;
}

/**
 * Work that a site asks its driver to do, in array order and in the same turn.
 *
 * Effects that name an instance are about one that was spawned or adopted and has not had `ended`.
 */
export type SiteEffect =
  /** Bring it to life; answer at once with `spawned` or `spawnFailed`, and with what it says only after that. */
  | { readonly type: "spawn"; readonly spawn: Spawn }
  /** Ask it to stop, without waiting. */
  | { readonly type: "requestStop"; readonly instance: string }
  /** End it by force, its whole process group; `exited` is heard when nothing of it runs. May come again. */
  | { readonly type: "kill"; readonly instance: string }
  /** Let go of it without ending it, if it can outlive this process; answer with `released`. */
  | { readonly type: "release"; readonly instance: string }
  /** Tell its keeper that the lease holds until then, in ms of the site's clock. */
  | { readonly type: "renew"; readonly instance: string; readonly untilMs: number }
  /** Give it the answer to its trouble `ref`; nothing where it has no such trouble. */
  | {
      readonly type: "answerTrouble";
      readonly instance: string;
      readonly ref: string;
      readonly answer: Pick<ActionOf<"AnswerTrouble">, "answer" | "data">;
    }
  /** Ask for its Check; answer once with `healthAnswered`, within `timeoutMs`. */
  | {
      readonly type: "askHealth";
      readonly ref: number;
      readonly instance: string;
      readonly timeoutMs: number;
    }
  /** Ask whether it lives; answer once with `aliveAnswered`, within `timeoutMs`. It has the `ref` of an `askHealth`. */
  | {
      readonly type: "askAlive";
      readonly ref: number;
      readonly instance: string;
      readonly timeoutMs: number;
    }
  /** Ask for its status; answer once with `statusAnswered`, within `timeoutMs`. */
  | {
      readonly type: "askStatus";
      readonly ref: number;
      readonly instance: string;
      readonly timeoutMs: number;
    }
  /** Give it a configuration, which has its defaults; answer once with `reconfigureAnswered`, within `timeoutMs`. */
  | {
      readonly type: "reconfigure";
      readonly ref: number;
      readonly instance: string;
      readonly config: JsonObject;
      readonly timeoutMs: number;
    }
  /** The end of `probe`; null: it does not run. */
  | { readonly type: "probed"; readonly probe: number; readonly answer: Answer | null }
  /** Report it. The driver adds `osPid` to ServiceStarted where it knows one. */
  | { readonly type: "emit"; readonly event: RuntimeEvent }
  /** Give `due(key)` in `inMs`; a key that is armed again is armed anew. */
  | { readonly type: "arm"; readonly key: string; readonly inMs: number }
  /** `due(key)` must not be given any more. */
  | { readonly type: "disarm"; readonly key: string }
  /** Nothing of the instance runs, or it was let go of; all about it has been emitted. Forget what is kept for it. */
  | { readonly type: "ended"; readonly instance: string }
  /** The shutdown is over: all has ended, or its time has. Nothing is watched any more; give no more looks. */
  | { readonly type: "drained" };
