import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { monotonicMs } from "../monotonic.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { createRuntime } from "./create-runtime.ts";
import type { RuntimeEvent } from "./runtime.ts";
import { manifestOf, startAction, temporaryDirectory } from "./testing.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const instance = "good@node-1#1";

/** A runtime whose kept instances do what the test says. */
function setUp() {
  const events: RuntimeEvent[] = [];
  const specs: RunnerSpec[] = [];
  const renewals: number[] = [];
  let kills = 0;
  let tell: (event: RunnerEvent) => void = () => undefined;
  const kept = (spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner => {
    specs.push(spec);
    tell = listener;
    return {
      osPid: 4711,
      requestStop: () => undefined,
      kill() {
        kills += 1;
      },
      check: async () => ({ health: "ok" }),
      status: async () => null,
      reconfigure: async () => "restart",
      call: async () => null,
      silentMs: () => undefined,
      memoryMb: () => undefined,
      renew: (untilMs) => void renewals.push(untilMs),
      release: () => true,
    };
  };
  const runtime = createRuntime({
    node: "node-1",
    dataDir: temporaryDirectory(),
    blobPath: (hash) => hash,
    emit: (event) => void events.push(event),
    runners: {},
    kept,
    now: monotonicMs,
  });
  const exited = {
    type: "exited",
    exit: { code: null, signal: "SIGKILL" },
    reason: "gone",
  } as const;
  return {
    runtime,
    events,
    specs,
    renewals,
    kills: () => kills,
    hear: (event: RunnerEvent) => tell(event),
    exited,
  };
}

const start = (incarnation = 1) => ({
  ...startAction(incarnation, manifestOf({ kind: "process", stopTimeoutMs: 60_000 })),
  lease: { token: 7, leaseMs: 2_000 },
});

test("an exclusive instance is started with the lease that was granted before, and its token", () => {
  const { runtime, specs } = setUp();
  const untilMs = monotonicMs() + 1_900;
  runtime.renew(instance, untilMs);
  runtime.start(start(), "1.0");
  expect(specs.map(({ lease }) => lease)).toEqual([{ token: 7, leaseMs: 2_000, untilMs }]);
  expect(runtime.leased()).toEqual([{ instance, token: 7, leaseMs: 2_000 }]);
});

test("nothing is started without a lease that holds", () => {
  const { runtime, specs, events } = setUp();
  runtime.start(start(), "1.0");
  runtime.renew(instance, monotonicMs() + 100);
  vi.advanceTimersByTime(100);
  runtime.start(start(), "1.1");
  expect(specs).toEqual([]);
  expect(events).toMatchObject([
    { type: "ServiceCouldNotStart", data: { command: "1.0", code: "HAL_CONFLICT" } },
    { type: "ServiceCouldNotStart", data: { command: "1.1", code: "HAL_CONFLICT" } },
  ]);
});

test("a renewal reaches the runner, and a late answer to an earlier one takes nothing back", () => {
  const { runtime, renewals } = setUp();
  const now = monotonicMs();
  runtime.renew(instance, now + 2_000);
  runtime.start(start(), "1.0");
  runtime.renew(instance, now + 2_500);
  runtime.renew(instance, now + 2_200);
  expect(renewals).toEqual([now + 2_500]);
});

test("what outlives its lease is ended and reported as failed by its lease; renewed, it goes on", () => {
  const { runtime, events, hear, kills, exited } = setUp();
  runtime.renew(instance, monotonicMs() + 2_000);
  runtime.start(start(), "1.0");
  hear({ type: "ready" });
  vi.advanceTimersByTime(1_900);
  runtime.renew(instance, monotonicMs() + 2_000);
  vi.advanceTimersByTime(1_990);
  expect(kills()).toBe(0);
  vi.advanceTimersByTime(20);
  expect(kills()).toBe(1);
  hear(exited);
  expect(events.at(-1)).toMatchObject({
    type: "ServiceFailed",
    data: { instance, cause: "lease" },
  });
  expect(runtime.leased()).toEqual([]);
});

test("a stop has no more time than the lease", () => {
  const { runtime, hear, kills } = setUp();
  runtime.renew(instance, monotonicMs() + 2_000);
  runtime.start(start(), "1.0");
  hear({ type: "ready" });
  runtime.stop({ type: "StopService", service: "good", instance, reason: "test" }, "1.1");
  vi.advanceTimersByTime(2_010);
  expect(kills()).toBe(1);
});

test("a start that waited for the end of an older instance longer than its lease is refused", () => {
  const { runtime, events, hear, specs, exited } = setUp();
  runtime.renew(instance, monotonicMs() + 60_000);
  runtime.start(start(), "1.0");
  hear({ type: "ready" });
  runtime.stop({ type: "StopService", service: "good", instance, reason: "test" }, "1.1");
  runtime.renew("good@node-1#2", monotonicMs() + 2_000);
  runtime.start(start(2), "2.0");
  expect(runtime.leased().map((lease) => lease.instance)).toEqual([instance, "good@node-1#2"]);
  vi.advanceTimersByTime(2_010);
  hear(exited);
  expect(specs).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({
    type: "ServiceCouldNotStart",
    data: { command: "2.0", code: "HAL_CONFLICT" },
  });
});
