import { expect, test } from "vitest";
import {
  advance,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleSnapshot,
  type LifecycleState,
  start,
  stateOf,
} from "./lifecycle.ts";

const input = { startTimeoutMs: 10_000, stopTimeoutMs: 5_000 };
const failed: LifecycleEvent = { type: "failed", cause: { code: "HAL_FAILED", reason: "disk" } };
const crashed: LifecycleEvent = {
  type: "crashed",
  cause: { code: "HAL_FAILED", reason: "disk" },
  exit: { code: 1, signal: null },
};
const exited: LifecycleEvent = {
  type: "exited",
  exit: { code: 1, signal: null },
  reason: "exit code 1",
};
const late = (effects: readonly LifecycleEffect[]): LifecycleEvent => {
  const armed = effects.find((effect) => effect.type === "arm");
  if (armed === undefined) throw new Error("no deadline was armed");
  return { type: "deadline", event: armed.event };
};

const startLate = late(start(input)[1]);

/** Events by name, and how each state is reached. */
const events: Record<string, LifecycleEvent> = {
  loaded: { type: "loaded" },
  ready: { type: "ready" },
  stop: { type: "stop" },
  failed,
  crashed,
  givenUp: { type: "givenUp", cause: { code: "HAL_FAILED", reason: "disk", cause: "trouble" } },
  exiting: { type: "exiting", reason: "done" },
  exited,
  startLate,
};
const stopLate = late(run(["loaded", "ready", "stop"])[1]);
events["stopLate"] = stopLate;
const paths: Record<LifecycleState, readonly LifecycleEvent["type"][]> = {
  loading: [],
  starting: ["loaded"],
  running: ["loaded", "ready"],
  stopping: ["loaded", "ready", "stop"],
  killing: ["loaded", "ready", "failed"],
  ended: ["loaded", "ready", "stop", "exited"],
};

function run(path: readonly string[]): readonly [LifecycleSnapshot, readonly LifecycleEffect[]] {
  let [snapshot, effects] = start(input);
  for (const name of path) {
    [snapshot, effects] = advance(snapshot, events[name] as LifecycleEvent);
  }
  return [snapshot, effects];
}

const disarm = "disarm";
const same = (state: LifecycleState) => [state, ""] as const;

/** Every state with every event: the state after, and the effects. */
const table: Record<LifecycleState, Record<string, readonly [LifecycleState, string]>> = {
  loading: {
    loaded: ["starting", ""],
    ready: ["running", `${disarm} reportStarted supervise`],
    stop: ["stopping", `${disarm} requestStop arm 5000`],
    failed: ["killing", `${disarm} kill`],
    crashed: ["killing", `${disarm} kill`],
    givenUp: ["stopping", `${disarm} requestStop arm 5000`],
    exiting: ["stopping", `${disarm} requestStop arm 5000`],
    exited: ["ended", `${disarm} reportCouldNotStart`],
    startLate: ["killing", `${disarm} kill`],
    stopLate: same("loading"),
  },
  starting: {
    loaded: same("starting"),
    ready: ["running", `${disarm} reportStarted supervise`],
    stop: ["stopping", `${disarm} requestStop arm 5000`],
    failed: ["killing", `${disarm} kill`],
    crashed: ["killing", `${disarm} kill`],
    givenUp: ["stopping", `${disarm} requestStop arm 5000`],
    exiting: ["stopping", `${disarm} requestStop arm 5000`],
    exited: ["ended", `${disarm} reportCouldNotStart`],
    startLate: ["killing", `${disarm} kill`],
    stopLate: same("starting"),
  },
  running: {
    loaded: same("running"),
    ready: same("running"),
    stop: ["stopping", "requestStop arm 5000"],
    failed: ["killing", "kill"],
    crashed: ["killing", "reportCrashed kill"],
    givenUp: ["stopping", "requestStop arm 5000"],
    exiting: ["stopping", "requestStop arm 5000"],
    exited: ["ended", "reportFailed"],
    startLate: same("running"),
    stopLate: same("running"),
  },
  stopping: {
    loaded: same("stopping"),
    ready: same("stopping"),
    stop: same("stopping"),
    failed: same("stopping"),
    crashed: same("stopping"),
    givenUp: same("stopping"),
    exiting: same("stopping"),
    exited: ["ended", `${disarm} reportStopped`],
    startLate: same("stopping"),
    stopLate: ["killing", `${disarm} kill`],
  },
  killing: {
    loaded: same("killing"),
    ready: same("killing"),
    stop: same("killing"),
    failed: same("killing"),
    crashed: same("killing"),
    givenUp: same("killing"),
    exiting: same("killing"),
    exited: ["ended", "reportFailed"],
    startLate: same("killing"),
    stopLate: same("killing"),
  },
  ended: {
    loaded: same("ended"),
    ready: same("ended"),
    stop: same("ended"),
    failed: same("ended"),
    crashed: same("ended"),
    givenUp: same("ended"),
    exiting: same("ended"),
    exited: same("ended"),
    startLate: same("ended"),
    stopLate: same("ended"),
  },
};

const cases = Object.entries(table).flatMap(([state, row]) =>
  Object.entries(row).map(([event, [next, effects]]) => ({
    state: state as LifecycleState,
    event,
    next,
    effects,
  })),
);

const describe = (effect: LifecycleEffect) =>
  effect.type === "arm" ? `arm ${effect.delayMs}` : effect.type;

test.each(cases)("$state takes $event to $next", ({ state, event, next, effects }) => {
  const [before] = run(paths[state]);
  expect(stateOf(before)).toBe(state);
  const taken = events[event];
  if (taken === undefined) throw new Error(event);
  const [after, done] = advance(before, taken);
  expect(stateOf(after)).toBe(next);
  expect(done.map(describe).join(" ")).toBe(effects);
});

test("a start spawns and arms one deadline for loading and starting together", () => {
  const [snapshot, effects] = start(input);
  expect(stateOf(snapshot)).toBe("loading");
  expect(effects.map(describe)).toEqual(["spawn", "arm 10000"]);
});

test("the first reason is the one that is reported, not the exit that follows from it", () => {
  const [, effects] = run(["loaded", "ready", "failed", "exited"]);
  expect(effects).toContainEqual({
    type: "reportFailed",
    cause: { code: "HAL_FAILED", reason: "disk" },
    exit: { code: 1, signal: null },
  });
});

test("one that was not ready in time could not start, and says how long it had", () => {
  const [killing] = advance(start(input)[0], startLate);
  expect(advance(killing, exited)[1]).toContainEqual({
    type: "reportCouldNotStart",
    cause: { code: "HAL_SERVICE_NOT_READY", reason: "not ready within 10000 ms" },
  });
});

test("one that is killed because it did not stop in time has stopped, not failed", () => {
  const [killing] = advance(run(["ready", "stop"])[0], stopLate);
  expect(advance(killing, exited)[1].map(describe)).toContain("reportStopped");
});

const ended = (path: readonly string[]) => run([...path, "exited"])[1].at(-1);

test("an end that was announced is no failure; one that was not is, and says that it is an exit", () => {
  const exit = { code: 1, signal: null };
  expect(ended(["ready", "exiting"])).toEqual({ type: "reportExited", reason: "done", exit });
  expect(ended(["ready"])).toMatchObject({ type: "reportFailed", cause: { cause: "exit" } });
});

test("what happens on the way out does not change why it ends", () => {
  expect(ended(["ready", "exiting", "failed"])).toMatchObject({ type: "reportExited" });
  expect(ended(["ready", "exiting", "stop"])).toMatchObject({ type: "reportExited" });
  expect(ended(["ready", "stop", "exiting"])).toMatchObject({ type: "reportStopped" });
  expect(ended(["ready", "givenUp", "exiting"])).toMatchObject({ cause: { cause: "trouble" } });
});

test("one that is given up is asked to stop, and has failed all the same", () => {
  expect(ended(["ready", "givenUp"])).toMatchObject({
    type: "reportFailed",
    cause: { reason: "disk", cause: "trouble" },
  });
});

test("one that crashed is reported once, before its exit, and with the exit to come", () => {
  expect(run(["ready", "crashed"])[1]).toContainEqual({
    type: "reportCrashed",
    cause: { code: "HAL_FAILED", reason: "disk" },
    exit: { code: 1, signal: null },
  });
  expect(run(["ready", "crashed", "exited"])[1].map(describe)).toEqual(["leave"]);
});

test("one that crashed before it was ready is reported with its exit", () => {
  expect(ended(["crashed"])).toMatchObject({
    type: "reportCouldNotStart",
    cause: { reason: "disk" },
  });
});
