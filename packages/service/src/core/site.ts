import type { CommandAction, InventoryInstance } from "@halon/protocol";
import type { SiteEffect } from "./site-effect.ts";
import type {
  AliveAnswer,
  HealthAnswer,
  HeardEvent,
  InstanceSpec,
  ReconfigureAnswer,
  Sample,
  SiteOptions,
  StatusAnswer,
} from "./site-input.ts";

type Effects = readonly SiteEffect[];

/** Give `look` so often. */
export const lookEveryMs = 250;

/**
 * The life of all instances of one node: names, starts that wait, deadlines, checks, leases, and what is reported.
 *
 * Its owner is one driver, which carries out the effects of each input in their order before it gives the next. All times are of
 * the machine's monotonic clock, in ms. What is told of an instance that is not here changes nothing.
 */
export class Site {
  constructor(options: SiteOptions, now: number) {
    throw new Error(`to be written ${options.node} ${now}`);
  }

  /** Any command; `command` is its id, which the answering event names. Those that are not about services do nothing. */
  perform(_action: CommandAction, _command: string | undefined, _now: number): Effects {
    return [];
  }

  /** The instance that was to be spawned is there. */
  spawned(_instance: string, _now: number): Effects {
    return [];
  }

  /** The instance that was to be spawned could not be made; nothing of it runs. */
  spawnFailed(_instance: string, _code: string, _reason: string, _now: number): Effects {
    return [];
  }

  /** An instance runs that an earlier process of this node has started; before the first command. */
  adopted(_spec: InstanceSpec, _now: number): Effects {
    return [];
  }

  /** What an instance or its runner says. */
  heard(_instance: string, _event: HeardEvent, _now: number): Effects {
    return [];
  }

  /** The answer to `askHealth`. */
  healthAnswered(_ref: number, _answer: HealthAnswer, _now: number): Effects {
    return [];
  }

  /** The answer to `askAlive`; where there is no liveness to ask for it is `ok`. */
  aliveAnswered(_ref: number, _answer: AliveAnswer, _now: number): Effects {
    return [];
  }

  /** The answer to `askStatus`. */
  statusAnswered(_ref: number, _answer: StatusAnswer): Effects {
    return [];
  }

  /** The answer to `reconfigure`. */
  reconfigureAnswered(_ref: number, _answer: ReconfigureAnswer): Effects {
    return [];
  }

  /** Somebody asks for an instance's Check and its liveness; ends in `probed` with the number that was given. */
  probe(_instance: string, _probe: number, _now: number): Effects {
    return [];
  }

  /** The answer to `release`: whether it lives on without this process. */
  released(_instance: string, _livesOn: boolean, _now: number): Effects {
    return [];
  }

  /** The deadline of `arm` has come. */
  due(_key: string, _now: number): Effects {
    return [];
  }

  /** Every `lookEveryMs`, with a sample of each instance of `watched`. */
  look(_samples: readonly Sample[], _now: number): Effects {
    return [];
  }

  /** The lease of an instance holds until then, in ms of the site's clock; also of one whose start has not come. */
  renewed(_instance: string, _untilMs: number, _now: number): Effects {
    return [];
  }

  /** Watches anew what runs, as far as `isMonitored` says; what starts later is watched too. `looks` begins at 0. */
  supervise(_isMonitored: (instance: string) => boolean, _now: number): Effects {
    return [];
  }

  /** Stops everything, with `keep` only what cannot outlive this process. Ends in `drained`. */
  shutdown(_keep: boolean, _now: number): Effects {
    return [];
  }

  /** Running instances that are watched. */
  watched(): readonly string[] {
    return [];
  }

  /** How often it has looked since it began to watch. */
  looks(): number {
    return 0;
  }

  /** Whether the instance is ready and not asked to end. */
  isRunning(_instance: string): boolean {
    return false;
  }

  /** All that runs, starts or stops here, without `osPid`. */
  inventory(): InventoryInstance[] {
    return [];
  }

  /** Exclusive instances that run, wait to start or end here, each with the lease of its start. */
  leased(): readonly {
    readonly instance: string;
    readonly token: number;
    readonly leaseMs: number;
  }[] {
    return [];
  }
}
