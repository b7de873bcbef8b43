import { monotonicMs } from "../monotonic.ts";
import type { Instance } from "./instance.ts";
import type { Runtime } from "./runtime.ts";
import type { Site } from "./site.ts";

/** Leases that were granted for starts that have not come; the oldest are forgotten. */
const earlyMax = 1_000;

/** The leases of exclusive instances on this node: where each ends, and the second guard behind the keeper. */
export class Leases {
  readonly #site: Site;
  /** By instance, in ms of the machine's monotonic clock. */
  readonly #until = new Map<string, number>();
  readonly #guards = new Map<string, NodeJS.Timeout>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** As of `Runtime`. */
  leased(): ReturnType<Runtime["leased"]> {
    const running = [...this.#site.instances.values()].map(({ spec }) => spec);
    const waiting = [...this.#site.waiting.values()].map(({ action }) => action);
    return [...running, ...waiting].flatMap(({ instance, lease }) =>
      lease === undefined ? [] : [{ instance, token: lease.token, leaseMs: lease.leaseMs }],
    );
  }

  /** As of `Runtime`. */
  renew(instance: string, untilMs: number): void {
    const before = this.#until.get(instance) ?? 0;
    // An answer that comes late must not take back what a later one gave.
    if (untilMs <= before) return;
    this.#until.set(instance, untilMs);
    const running = this.#site.instances.get(instance);
    if (running !== undefined) {
      running.runner.renew?.(untilMs);
      this.#guard(running, untilMs);
      return;
    }
    for (const known of this.#until.keys()) {
      if (this.#until.size <= earlyMax) break;
      if (!this.#site.instances.has(known)) this.#until.delete(known);
    }
  }

  /** Where the lease of an instance that is to start ends, in ms of the monotonic clock; undefined when none holds. */
  untilOf(instance: string): number | undefined {
    const until = this.#until.get(instance);
    return until !== undefined && until > monotonicMs() ? until : undefined;
  }

  /** The instance runs from now on, by a start or because it was adopted. */
  begin(instance: Instance): void {
    const { lease, instance: id } = instance.spec;
    if (lease === undefined) return;
    const until = this.#until.get(id) ?? lease.untilMs ?? monotonicMs() + lease.leaseMs;
    this.#until.set(id, until);
    this.#guard(instance, until);
  }

  /** Nothing of the instance runs any more. */
  end(instance: string): void {
    clearTimeout(this.#guards.get(instance));
    this.#guards.delete(instance);
    this.#until.delete(instance);
  }

  close(): void {
    for (const guard of this.#guards.values()) clearTimeout(guard);
    this.#guards.clear();
  }

  #guard(instance: Instance, untilMs: number): void {
    const id = instance.spec.instance;
    clearTimeout(this.#guards.get(id));
    const due = (): void => {
      const leftMs = untilMs - monotonicMs();
      if (leftMs > 0) {
        this.#guards.set(id, setTimeout(due, leftMs));
        return;
      }
      const reason = "its lease has ended: no leader has renewed it in time";
      // What is stopping has more time than its lease.
      if (instance.state === "stopping") instance.runner.kill();
      else instance.take({ type: "failed", cause: { code: "HAL_FAILED", cause: "lease", reason } });
    };
    this.#guards.set(id, setTimeout(due, Math.max(0, untilMs - monotonicMs())));
  }
}
