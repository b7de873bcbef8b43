import { kill, noteHealth, take } from "./instance-life.ts";
import { answerTo, placeOf, reasonCharsMax } from "./instance-report.ts";
import { scheduleCheck, unwatch, watch } from "./instance-watch.ts";
import type { Cause } from "./lifecycle.ts";
import type { Answer } from "./site-effect.ts";
import type { AliveAnswer, HealthAnswer, Sample } from "./site-input.ts";
import {
  type Ask,
  emit,
  type Instance,
  type Purpose,
  type SiteState,
  stateOfInstance,
  type Turn,
  type Watched,
} from "./site-state.ts";
import { judge, judgeChecks, judgeLiveness, nextCheck, silentMsMax } from "./supervision.ts";

/** The driver gives a look so often. */
export const lookEveryMs = 250;
/** A look that is this late says more about the supervisor than about the instances. */
const lookLateMsMax = 500;
/** Checks in a row without an answer after which an instance hangs. */
const checkTimeoutsMax = 3;
/** A kill that has not led to an exit is repeated. */
const killRetryMs = 1_000;

type HealthAsk = Extract<Ask, { type: "health" }>;

/** Looks at what was seen of the instances that run, and at those whose end does not come. */
export function look(state: SiteState, turn: Turn, samples: readonly Sample[]): void {
  const lookLateMs = turn.now - state.lookedAt - lookEveryMs;
  state.lookedAt = turn.now;
  state.looks += 1;
  for (const watched of state.watched.values()) killAgain(turn, watched);
  for (const { instance: id, silentMs, memoryMb } of samples) {
    const instance = state.watched.get(id)?.instance;
    if (instance === undefined || stateOfInstance(instance) !== "running") continue;
    const memoryMbMax = instance.spec.manifest.memoryMb;
    const cause = judge(
      { silentMs, memoryMb, lookLateMs },
      { silentMsMax, memoryMbMax, lookLateMsMax },
    );
    if (cause !== null) take(state, turn, instance, { type: "failed", cause });
  }
}

/** The supervisor begins anew, with what runs and is monitored. */
export function superviseAnew(
  state: SiteState,
  turn: Turn,
  isMonitored: (instance: string) => boolean,
): void {
  state.lookedAt = turn.now;
  state.looks = 0;
  for (const instance of [...state.watched.keys()]) unwatch(state, turn, instance);
  for (const instance of state.instances.values()) {
    if (stateOfInstance(instance) !== "running" || !isMonitored(instance.spec.instance)) continue;
    watch(state, turn, instance);
  }
}

/** Asks an instance for its Check, because it is due. */
export function checkDue(state: SiteState, turn: Turn, watched: Watched): void {
  if (stateOfInstance(watched.instance) !== "running") return;
  const purpose = { type: "schedule", watched, beganAtMs: turn.now } as const;
  ask(state, turn, watched.instance, purpose);
}

/** Asks an instance for its health, and for its liveness unless a command is about its health alone. */
export function ask(state: SiteState, turn: Turn, instance: Instance, purpose: Purpose): void {
  state.lastRef += 1;
  const ref = state.lastRef;
  const isAlone = purpose.type === "command" && purpose.doubt === undefined;
  const alive = isAlone ? { ok: true } : null;
  state.asks.set(ref, { type: "health", instance, purpose, outcome: null, alive });
  const { instance: id, manifest } = instance.spec;
  const asked = { ref, instance: id, timeoutMs: manifest.checkTimeoutMs };
  turn.effects.push({ type: "askHealth", ...asked });
  if (!isAlone) turn.effects.push({ type: "askAlive", ...asked });
}

/** Notes what was answered; a check that throws is a service that fails its check. */
export function healthAnswered(
  state: SiteState,
  turn: Turn,
  ref: number,
  answer: HealthAnswer,
): void {
  const asked = state.asks.get(ref);
  if (asked?.type !== "health" || asked.outcome !== null) return;
  asked.outcome = answer.type === "timedOut" ? "timedOut" : "answered";
  if (answer.type === "answered") {
    const { health, detail } = answer;
    noteHealth(state, turn, asked.instance, { health, detail });
  } else if (answer.type === "failed") {
    noteHealth(state, turn, asked.instance, { health: "fail", detail: answer.reason });
  }
  conclude(state, turn, ref, asked);
}

/** Notes whether it lives. */
export function aliveAnswered(
  state: SiteState,
  turn: Turn,
  ref: number,
  answer: AliveAnswer,
): void {
  const asked = state.asks.get(ref);
  if (asked?.type !== "health" || asked.alive !== null) return;
  asked.alive = answer;
  conclude(state, turn, ref, asked);
}

/** Concludes when both are answered. */
function conclude(state: SiteState, turn: Turn, ref: number, asked: HealthAsk): void {
  const { instance, purpose, outcome, alive } = asked;
  if (outcome === null || alive === null) return;
  state.asks.delete(ref);
  switch (purpose.type) {
    case "schedule":
      concludeCheck(state, turn, purpose, { outcome, alive });
      return;
    case "command":
      concludeCommand(state, turn, instance, { purpose, asked });
      return;
    case "probe":
      turn.effects.push({ type: "probed", probe: purpose.probe, answer: answerOf(asked).answer });
  }
}

function concludeCheck(
  state: SiteState,
  turn: Turn,
  { watched, beganAtMs }: Extract<Purpose, { type: "schedule" }>,
  { outcome, alive }: { readonly outcome: "answered" | "timedOut"; readonly alive: AliveAnswer },
): void {
  const { instance } = watched;
  const { instance: id, manifest } = instance.spec;
  // Of an earlier supervisor, or of what does not run any more.
  if (state.watched.get(id) !== watched || stateOfInstance(instance) !== "running") return;
  const { checkEveryMs, livenessFailures } = manifest;
  const check = { outcome, isAlive: alive.ok, beganAtMs, nowMs: turn.now, checkEveryMs };
  watched.schedule = nextCheck(watched.schedule, check);
  const cause =
    judgeLiveness(watched.schedule, livenessFailures, alive.detail ?? "it said no") ??
    judgeChecks(watched.schedule, checkTimeoutsMax);
  if (cause === null) scheduleCheck(state, turn, watched);
  else take(state, turn, instance, { type: "failed", cause });
}

/**
 * Answers the command.
 *
 * With a doubt of others an instance that gives no answer or is not alive is ended, without waiting for further failures:
 * the others have waited for theirs.
 */
function concludeCommand(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  {
    purpose: { command, doubt },
    asked,
  }: { readonly purpose: Extract<Purpose, { type: "command" }>; readonly asked: HealthAsk },
): void {
  const { answer, cause } = answerOf(asked);
  const data = { ...placeOf(state, instance.spec), ...answerTo(command), ...answer };
  emit(turn, { type: "ServiceChecked", data });
  if (doubt === undefined || cause === undefined) return;
  const reason = `${cause.reason}; ${doubt}`.slice(0, reasonCharsMax);
  take(state, turn, instance, { type: "failed", cause: { ...cause, reason } });
}

/** What to tell of it, and why it must be ended where others doubt it too. */
function answerOf({ instance, outcome, alive }: HealthAsk): {
  readonly answer: Answer;
  readonly cause?: Cause;
} {
  if (alive?.ok === false) {
    const detail = alive.detail ?? "its liveness check said no";
    const cause: Cause = { code: "HAL_FAILED", cause: "liveness", reason: `liveness: ${detail}` };
    return { answer: { health: "fail", detail }, cause };
  }
  if (outcome === "timedOut") {
    const detail = `no answer within ${instance.spec.manifest.checkTimeoutMs} ms`;
    const reason = `hung: its check got ${detail}`;
    const cause: Cause = { code: "HAL_FAILED", cause: "hung", reason };
    return { answer: { health: "unknown", detail }, cause };
  }
  const { health, healthDetail: detail } = instance;
  return { answer: { health, ...(detail === undefined ? {} : { detail }) } };
}

// The first kill came with the state; a signal may have been lost with a pid namespace or a freezer.
function killAgain(turn: Turn, watched: Watched): void {
  if (stateOfInstance(watched.instance) !== "killing") return;
  const { killedAt } = watched;
  if (killedAt !== null && turn.now - killedAt < killRetryMs) return;
  if (killedAt !== null) kill(turn, watched.instance);
  watched.killedAt = turn.now;
}
