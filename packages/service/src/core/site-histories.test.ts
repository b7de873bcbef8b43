import fc from "fast-check";
import { expect, test } from "vitest";
import type { SiteEffect } from "./site-effect.ts";
import type { HeardEvent } from "./site-input.ts";
import { instanceOf, Stage, startOf } from "./testing.ts";

const services = ["web", "db", "other"] as const;
type Service = (typeof services)[number];
/** `db` and `other` are types that declare one service name. */
const shared = { web: "web", db: "db", other: "db" } as const;

const input = fc.record({
  kind: fc.constantFrom(
    "start",
    "start",
    "stop",
    "ready",
    "ready",
    "problem",
    "crash",
    "exiting",
    "exited",
    "exited",
    "due",
    "check",
    "health",
    "alive",
    "look",
    "supervise",
  ),
  service: fc.constantFrom(...services),
  incarnation: fc.integer({ min: 1, max: 3 }),
  isKnown: fc.boolean(),
  pick: fc.nat(20),
  afterMs: fc.nat(3_000),
});
type Drawn = typeof input extends fc.Arbitrary<infer T> ? T : never;

const exited: HeardEvent = { type: "exited", exit: { code: 0, signal: null }, reason: "gone" };
const said: Readonly<Record<string, HeardEvent>> = {
  ready: { type: "ready" },
  problem: { type: "problem", code: "HAL_FAILED", reason: "disk" },
  crash: {
    type: "problem",
    code: "HAL_FAILED",
    reason: "no",
    exit: { code: 1, signal: null },
  },
  exiting: { type: "exiting", reason: "done" },
  exited,
};

/** What lives, what is armed and what was asked, as a driver that does all at once sees it. */
class Driver {
  readonly stage = new Stage();
  readonly asked: string[] = [];
  #seen = 0;
  readonly live = new Set<string>();
  readonly armed = new Set<string>();
  readonly refs: number[] = [];
  #commands = 0;

  take(drawn: Drawn): void {
    const { stage } = this;
    stage.now += drawn.afterMs;
    const of = <T>(all: Iterable<T>): T | undefined => {
      const list = [...all];
      return list[drawn.pick % Math.max(1, list.length)];
    };
    // Half of the commands are about what is there.
    const known = drawn.isKnown ? of(this.live) : undefined;
    const instance = known ?? instanceOf(drawn.incarnation, drawn.service);
    const service = instance.slice(0, instance.indexOf("@")) as Service;
    const incarnation = Number(instance.slice(instance.indexOf("#") + 1));
    switch (drawn.kind) {
      case "start": {
        const type = { service, name: service, serviceName: shared[service] };
        stage.start(startOf(incarnation, type), this.#command());
        break;
      }
      case "stop":
        stage.stop(incarnation, this.#command(), service);
        break;
      case "check": {
        const action = { type: "CheckService", service, instance } as const;
        stage.give((site, now) => site.perform(action, this.#command(), now));
        break;
      }
      case "due": {
        const key = of(this.armed);
        if (key === undefined) break;
        this.armed.delete(key);
        stage.give((site, now) => site.due(key, now));
        break;
      }
      case "health": {
        const ref = of(this.refs) ?? 0;
        stage.give((site, now) => site.healthAnswered(ref, { type: "timedOut" }, now));
        break;
      }
      case "alive": {
        const ref = of(this.refs) ?? 0;
        stage.give((site, now) => site.aliveAnswered(ref, { ok: drawn.pick > 4 }, now));
        break;
      }
      case "look":
        stage.give((site, now) => site.look([{ instance, silentMs: 2_000, memoryMb: 1 }], now));
        break;
      case "supervise":
        stage.give((site, now) => site.supervise((of) => of.startsWith("web"), now));
        break;
      default: {
        const id = of(this.live);
        const event = said[drawn.kind];
        if (id === undefined || event === undefined) break;
        // Its exit is the last that it says.
        if (drawn.kind === "exited") this.live.delete(id);
        stage.give((site, now) => site.heard(id, event, now));
      }
    }
    this.#note();
  }

  /** Ends all that lives, and what is started by that. */
  finish(): void {
    for (const ref of this.refs) {
      this.stage.give((site, now) => site.healthAnswered(ref, { type: "notRunning" }, now));
      this.stage.give((site, now) => site.aliveAnswered(ref, { ok: true }, now));
    }
    this.#note();
    while (this.live.size > 0) {
      for (const id of [...this.live]) {
        this.live.delete(id);
        this.stage.give((site, now) => site.heard(id, exited, now));
        this.#note();
      }
    }
  }

  #command(): string {
    this.#commands += 1;
    const command = `${this.#commands}.0`;
    this.asked.push(command);
    return command;
  }

  #note(): void {
    const effects = this.stage.effects.slice(this.#seen);
    this.#seen += effects.length;
    for (const effect of effects) this.#noteOne(effect);
  }

  #noteOne(effect: SiteEffect): void {
    if (effect.type === "spawn") this.live.add(effect.spawn.instance);
    if (effect.type === "arm") this.armed.add(effect.key);
    if (effect.type === "disarm") this.armed.delete(effect.key);
    if (effect.type === "askHealth") this.refs.push(effect.ref);
    if (effect.type === "kill" || effect.type === "requestStop" || effect.type === "askHealth") {
      expect(this.live).toContain(effect.instance);
    }
    const names = [...this.live].map((id) => shared[id.slice(0, id.indexOf("@")) as Service]);
    expect(new Set(names).size).toBe(names.length);
  }
}

test("in any history one instance holds a name, what ended is left alone, and each command has one answer", () => {
  const history = fc.array(input, { minLength: 20, maxLength: 80, size: "max" });
  fc.assert(
    fc.property(history, (inputs) => {
      const driver = new Driver();
      for (const drawn of inputs) driver.take(drawn);
      driver.finish();
      // Starts that wait for a name that is free by then are answered at their deadline.
      for (const key of driver.armed) {
        driver.stage.give((site, now) => site.due(key, now));
      }
      driver.finish();
      const answered = driver.stage
        .told()
        .flatMap(({ data }) => ("command" in data && data.command ? [data.command] : []));
      expect(answered.sort()).toEqual(driver.asked.sort());
      expect(driver.stage.site.inventory()).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
