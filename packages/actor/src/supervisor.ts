import type {
  Behaviour,
  ExitReason,
  Handlers,
  Meta,
  Self,
  SpawnOptions,
} from "./core/behaviour.ts";
import type { Pid } from "./core/pid.ts";
import { restartDecision } from "./core/restart.ts";

/** `permanent` is always restarted, `transient` after an abnormal end, `temporary` never (OTP). */
export type RestartType = "permanent" | "transient" | "temporary";

/** One child of a supervisor. */
export interface ChildSpec {
  readonly id: string;
  readonly behaviour: Behaviour;
  readonly restart: RestartType;
  /** How long the child may take to end before it is killed. */
  readonly shutdownMs: number;
  readonly options?: Omit<SpawnOptions, "link" | "monitor">;
}

/** Children and how often they may be restarted. */
export interface SupervisorOptions {
  readonly children: readonly ChildSpec[];
  /** More restarts than this within `periodMs` end the supervisor with `shutdown`. Default 1. */
  readonly intensity?: number;
  /** Default 5,000. */
  readonly periodMs?: number;
}

/** Questions that a supervisor answers to `call`. */
export type SupervisorCall = { readonly type: "children" };

/** A child now. */
export interface ChildInfo {
  readonly id: string;
  /** Null: ended, and not to be restarted. */
  readonly pid: Pid | null;
}

/** A one-for-one supervisor: children start in order and are stopped in reverse. */
export function supervisor(options: SupervisorOptions): Behaviour {
  return (self) => new Supervisor(self, options);
}

class Supervisor implements Handlers {
  readonly #self: Self;
  readonly #children: readonly Child[];
  readonly #intensity: number;
  readonly #periodMs: number;
  #restarts: readonly number[] = [];

  constructor(self: Self, options: SupervisorOptions) {
    this.#self = self;
    this.#intensity = options.intensity ?? 1;
    this.#periodMs = options.periodMs ?? 5_000;
    self.trapExits(true);
    this.#children = options.children.map((spec) => ({ spec, pid: this.#start(spec) }));
  }

  receive(message: unknown, meta: Meta): readonly ChildInfo[] | undefined {
    if (meta.type === "call") return this.#children.map(({ spec, pid }) => ({ id: spec.id, pid }));
    if (meta.type !== "signal") return undefined;
    const { pid, reason } = message as { readonly pid: Pid; readonly reason: ExitReason };
    const child = this.#children.find((one) => one.pid === pid);
    if (child === undefined) this.#leave(reason);
    else if (isRestarted(child.spec.restart, reason)) this.#restart(child);
    else child.pid = null;
    return undefined;
  }

  async terminate(): Promise<void> {
    for (const { spec, pid } of [...this.#children].reverse())
      if (pid !== null) await shutDown(this.#self, pid, spec.shutdownMs);
  }

  #start(spec: ChildSpec): Pid {
    return this.#self.spawn(spec.behaviour, { ...spec.options, link: this.#self.pid });
  }

  #restart(child: Child): void {
    const decision = restartDecision(
      this.#restarts,
      performance.now(),
      this.#intensity,
      this.#periodMs,
    );
    this.#restarts = decision.restarts;
    if (decision.type === "restart") child.pid = this.#start(child.spec);
    else {
      child.pid = null;
      this.#self.stop("shutdown");
    }
  }

  /** Someone linked from above ended. */
  #leave(reason: ExitReason): void {
    if (reason !== "normal") this.#self.stop(reason);
  }
}

interface Child {
  readonly spec: ChildSpec;
  pid: Pid | null;
}

function isRestarted(restart: RestartType, reason: ExitReason): boolean {
  if (restart === "permanent") return true;
  return restart === "transient" && reason !== "normal" && reason !== "shutdown";
}

/** Ends a process: asks, then kills at the deadline. Resolves when it is gone. */
export function shutDown(self: Self, pid: Pid, shutdownMs: number): Promise<void> {
  return new Promise((resolve) => {
    self.spawn((helper) => {
      helper.monitor(pid);
      helper.exit(pid, "shutdown");
      const late = setTimeout(() => helper.exit(pid, "killed"), shutdownMs);
      return {
        receive() {
          clearTimeout(late);
          resolve();
          helper.stop();
        },
      };
    });
  });
}
