import type { CommandAction, InventoryInstance } from "@halon/protocol";
import {
  aliveAnswered,
  ask,
  checkDue,
  healthAnswered,
  look,
  superviseAnew,
} from "./instance-checks.ts";
import {
  adopted,
  dropDeadlines,
  heard,
  kill,
  spawned,
  spawnFailed,
  take,
} from "./instance-life.ts";
import { answerTo, noteEnded, placeOf } from "./instance-report.ts";
import {
  answerTrouble,
  askStatus,
  check,
  reconfigure,
  reconfigureAnswered,
  statusAnswered,
} from "./instance-requests.ts";
import { guardLease, renewLease } from "./lease-guards.ts";
import { giveUp, letGo, start, waitedTooLong } from "./service-names.ts";
import { endShutdown, settleShutdown } from "./shutdown-end.ts";
import type { SiteEffect } from "./site-effect.ts";
import type {
  ActionOf,
  AliveAnswer,
  HealthAnswer,
  HeardEvent,
  InstanceSpec,
  ReconfigureAnswer,
  Sample,
  SiteOptions,
  StatusAnswer,
} from "./site-input.ts";
import {
  createState,
  emit,
  type Instance,
  type SiteState,
  stateOfInstance,
  type Turn,
} from "./site-state.ts";

type Effects = readonly SiteEffect[];

/** Of an input that no time matters to. */
const timeless = 0;

/**
 * The life of all instances of one node: names, starts that wait, deadlines, checks, leases, and what is reported.
 *
 * Its owner is one driver, which carries out the effects of each input in their order before it gives the next; only what came of a
 * `spawn` it gives at once. All times are of the machine's monotonic clock, in ms. What is told of an instance that is not here,
 * and what nobody asked for, changes nothing.
 */
export class Site {
  readonly #state: SiteState;

  constructor(options: SiteOptions, now: number) {
    this.#state = createState(options, now);
  }

  /** Any command; `command` is its id, which the answering event names. Those that are not about services do nothing. */
  perform(action: CommandAction, command: string | undefined, now: number): Effects {
    return this.#turn(now, (state, turn) => {
      switch (action.type) {
        case "StartService":
          start(state, turn, action, command);
          return;
        case "StopService":
          stop(state, turn, action, command);
          return;
        case "CheckService":
          check(state, turn, action, command);
          return;
        case "ReportStatus":
          askStatus(state, turn, action, command);
          return;
        case "ReconfigureService":
          reconfigure(state, turn, action, command);
          return;
        case "AnswerTrouble":
          answerTrouble(state, turn, action, command);
      }
    });
  }

  /** The instance that was to be spawned is there. */
  spawned(instance: string, now: number): Effects {
    return this.#turn(now, (state, turn) => spawned(state, turn, instance));
  }

  /** The instance that was to be spawned could not be made; nothing of it runs. */
  spawnFailed(instance: string, code: string, reason: string, now: number): Effects {
    return this.#turn(now, (state, turn) => spawnFailed(state, turn, instance, { code, reason }));
  }

  /** An instance runs that an earlier process of this node has started; before the first command. */
  adopted(spec: InstanceSpec, now: number): Effects {
    return this.#turn(now, (state, turn) => adopted(state, turn, spec));
  }

  /** What an instance or its runner says. */
  heard(instance: string, event: HeardEvent, now: number): Effects {
    return this.#about(instance, now, (state, turn, known) => heard(state, turn, known, event));
  }

  /** The answer to `askHealth`. */
  healthAnswered(ref: number, answer: HealthAnswer, now: number): Effects {
    return this.#turn(now, (state, turn) => healthAnswered(state, turn, ref, answer));
  }

  /** The answer to `askAlive`; where there is no liveness to ask for it is `ok`. */
  aliveAnswered(ref: number, answer: AliveAnswer, now: number): Effects {
    return this.#turn(now, (state, turn) => aliveAnswered(state, turn, ref, answer));
  }

  /** The answer to `askStatus`. */
  statusAnswered(ref: number, answer: StatusAnswer): Effects {
    return this.#turn(timeless, (state, turn) => statusAnswered(state, turn, ref, answer));
  }

  /** The answer to `reconfigure`. */
  reconfigureAnswered(ref: number, answer: ReconfigureAnswer): Effects {
    return this.#turn(timeless, (state, turn) => reconfigureAnswered(state, turn, ref, answer));
  }

  /** Somebody asks for an instance's Check and its liveness; ends in `probed` with the number that was given. */
  probe(instance: string, probe: number, now: number): Effects {
    return this.#turn(now, (state, turn) => {
      const known = state.instances.get(instance);
      if (known !== undefined && stateOfInstance(known) === "running") {
        ask(state, turn, known, { type: "probe", probe });
      } else turn.effects.push({ type: "probed", probe, answer: null });
    });
  }

  /** The answer to `release`: whether it lives on without this process. */
  released(instance: string, livesOn: boolean, now: number): Effects {
    return this.#about(instance, now, (state, turn, known) => {
      if (!state.releasing.delete(instance)) return;
      if (livesOn) {
        dropDeadlines(state, turn, known);
        letGo(state, turn, known);
        return;
      }
      stopForShutdown(state, turn, known);
      settleShutdown(state, turn);
    });
  }

  /** The deadline of `arm` has come. */
  due(key: string, now: number): Effects {
    return this.#turn(now, (state, turn) => {
      const deadline = state.deadlines.get(key);
      if (deadline === undefined) return;
      state.deadlines.delete(key);
      switch (deadline.type) {
        case "life":
          deadline.instance.deadlines.delete(key);
          take(state, turn, deadline.instance, { type: "deadline", event: deadline.event });
          return;
        case "check":
          checkDue(state, turn, deadline.watched);
          return;
        case "lease":
          leaseDue(state, turn, deadline.instance);
          return;
        case "waitingStart":
          waitedTooLong(state, turn, deadline.service);
          return;
        case "shutdown":
          endShutdown(state, turn);
      }
    });
  }

  /** Every `lookEveryMs`, with a sample of each instance of `watched`. */
  look(samples: readonly Sample[], now: number): Effects {
    return this.#turn(now, (state, turn) => look(state, turn, samples));
  }

  /** The lease of an instance holds until then, in ms of the site's clock; also of one whose start has not come. */
  renewed(instance: string, untilMs: number, now: number): Effects {
    return this.#turn(now, (state, turn) => renewLease(state, turn, instance, untilMs));
  }

  /** Watches anew what runs, as far as `isMonitored` says; what starts later is watched too. `looks` begins at 0. */
  supervise(isMonitored: (instance: string) => boolean, now: number): Effects {
    return this.#turn(now, (state, turn) => superviseAnew(state, turn, isMonitored));
  }

  /** Stops everything, with `keep` only what cannot outlive this process. Ends in `drained`. */
  shutdown(keep: boolean, now: number): Effects {
    return this.#turn(now, (state, turn) => {
      state.shutdown = "closing";
      for (const queued of [...state.waiting.values()]) {
        giveUp(state, turn, queued, `${state.options.node} is stopping`);
      }
      for (const instance of state.instances.values()) {
        if (keep) {
          state.releasing.add(instance.spec.instance);
          turn.effects.push({ type: "release", instance: instance.spec.instance });
        } else stopForShutdown(state, turn, instance);
      }
      settleShutdown(state, turn);
    });
  }

  /** Running instances that are watched. */
  watched(): readonly string[] {
    return [...this.#state.watched.values()].flatMap(({ instance }) =>
      stateOfInstance(instance) === "running" ? [instance.spec.instance] : [],
    );
  }

  /** How often it has looked since it began to watch. */
  looks(): number {
    return this.#state.looks;
  }

  /** Whether the instance is ready and not asked to end. */
  isRunning(instance: string): boolean {
    const known = this.#state.instances.get(instance);
    return known !== undefined && stateOfInstance(known) === "running";
  }

  /** All that runs, starts or stops here, without `osPid`. */
  inventory(): InventoryInstance[] {
    return [
      ...[...this.#state.instances.values()].map(inventoryOf),
      ...[...this.#state.waiting.values()].map(({ action: { instance, service, manifest } }) => {
        const { name: type, version } = manifest;
        return { instance, service, type, version, state: "starting", health: "unknown" } as const;
      }),
    ];
  }

  /** Exclusive instances that run, wait to start or end here, each with the lease of its start. */
  leased(): readonly {
    readonly instance: string;
    readonly token: number;
    readonly leaseMs: number;
  }[] {
    const running = [...this.#state.instances.values()].map(({ spec }) => spec);
    const waiting = [...this.#state.waiting.values()].map(({ action }) => action);
    return [...running, ...waiting].flatMap(({ instance, lease }) =>
      lease === undefined ? [] : [{ instance, token: lease.token, leaseMs: lease.leaseMs }],
    );
  }

  #turn(now: number, input: (state: SiteState, turn: Turn) => void): Effects {
    const turn: Turn = { now, effects: [] };
    input(this.#state, turn);
    return turn.effects;
  }

  #about(
    instance: string,
    now: number,
    input: (state: SiteState, turn: Turn, known: Instance) => void,
  ): Effects {
    const known = this.#state.present.get(instance);
    if (known === undefined) return [];
    return this.#turn(now, (state, turn) => input(state, turn, known));
  }
}

/** Stops an instance, a start that waits, or tells that nothing of it runs. */
function stop(
  state: SiteState,
  turn: Turn,
  { service, instance: id }: Pick<ActionOf<"StopService">, "service" | "instance">,
  command: string | undefined,
): void {
  const instance = state.instances.get(id);
  if (instance !== undefined) {
    if (command !== undefined) instance.stopCommands.add(command);
    take(state, turn, instance, { type: "stop" });
    return;
  }
  const queued = state.waiting.get(service);
  if (queued?.action.instance === id) {
    giveUp(state, turn, queued, `${id} was stopped before it was started`);
  }
  noteEnded(state, id);
  const data = { ...placeOf(state, { service, instance: id }), ...answerTo(command) };
  emit(turn, { type: "ServiceStopped", data });
}

function stopForShutdown(state: SiteState, turn: Turn, instance: Instance): void {
  state.slowestMs = Math.max(state.slowestMs, instance.spec.manifest.stopTimeoutMs);
  take(state, turn, instance, { type: "stop" });
}

/** Ends an instance whose lease nobody has renewed; the second guard behind its keeper. */
function leaseDue(state: SiteState, turn: Turn, instance: Instance): void {
  const until = state.leases.get(instance.spec.instance) ?? turn.now;
  if (until > turn.now) {
    guardLease(state, turn, instance, until);
    return;
  }
  const reason = "its lease has ended: no leader has renewed it in time";
  // What is stopping has no more time than its lease.
  if (stateOfInstance(instance) === "stopping") kill(turn, instance);
  else {
    const cause = { code: "HAL_FAILED", cause: "lease", reason } as const;
    take(state, turn, instance, { type: "failed", cause });
  }
}

function inventoryOf(instance: Instance): InventoryInstance {
  const { spec, health } = instance;
  const state = stateOfInstance(instance);
  const shown = state === "loading" ? "starting" : state;
  return {
    instance: spec.instance,
    service: spec.service,
    type: spec.manifest.name,
    version: spec.manifest.version,
    state: shown === "starting" || shown === "running" ? shown : "stopping",
    health,
  };
}
