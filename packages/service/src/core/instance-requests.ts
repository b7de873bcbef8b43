import { ask } from "./instance-checks.ts";
import { take } from "./instance-life.ts";
import { answerTo, placeOf, reasonCharsMax, refuse } from "./instance-report.ts";
import type { ActionOf, ReconfigureAnswer, StatusAnswer } from "./site-input.ts";
import { emit, type Instance, type SiteState, stateOfInstance, type Turn } from "./site-state.ts";

/** Answers to a status request that are larger as JSON are refused. */
const reportBytesMax = 262_144;

type Command = string | undefined;

/** Asks for its health. */
export function check(
  state: SiteState,
  turn: Turn,
  { instance: id, doubt }: ActionOf<"CheckService">,
  command: Command,
): void {
  const instance = find(state, turn, id, command);
  if (instance !== null) ask(state, turn, instance, { type: "command", command, doubt });
}

/** Asks for its status. */
export function askStatus(
  state: SiteState,
  turn: Turn,
  { instance: id }: ActionOf<"ReportStatus">,
  command: Command,
): void {
  const instance = find(state, turn, id, command);
  if (instance === null) return;
  state.lastRef += 1;
  state.asks.set(state.lastRef, { type: "status", instance, command });
  const timeoutMs = instance.spec.manifest.checkTimeoutMs;
  turn.effects.push({ type: "askStatus", ref: state.lastRef, instance: id, timeoutMs });
}

/** Tells its status, or why it has none. */
export function statusAnswered(
  state: SiteState,
  turn: Turn,
  ref: number,
  answer: StatusAnswer,
): void {
  const asked = state.asks.get(ref);
  if (asked?.type !== "status") return;
  state.asks.delete(ref);
  const { instance, command } = asked;
  if (answer.type === "failed") {
    refuse(state, turn, command, answer);
    return;
  }
  if (answer.bytes > reportBytesMax) {
    const { instance: id } = instance.spec;
    const reason = `the status of ${id} has ${answer.bytes} bytes, ${reportBytesMax} are allowed`;
    refuse(state, turn, command, { code: "HAL_TOO_LARGE", reason });
    return;
  }
  const report = answer.report as never;
  const data = { ...placeOf(state, instance.spec), ...answerTo(command), report };
  emit(turn, { type: "ServiceReported", data });
}

/** Gives it a configuration that its schema takes. */
export function reconfigure(
  state: SiteState,
  turn: Turn,
  action: ActionOf<"ReconfigureService">,
  command: Command,
): void {
  const instance = find(state, turn, action.instance, command);
  if (instance === null) return;
  const { manifest } = instance.spec;
  const outcome = state.options.checkConfig(manifest, action.config);
  if (outcome.type === "invalid") {
    const { reason } = outcome;
    refuse(state, turn, command, { code: "HAL_SCHEMA_VIOLATION", reason });
    return;
  }
  const { configHash } = action;
  state.lastRef += 1;
  state.asks.set(state.lastRef, { type: "reconfigure", instance, command, configHash });
  turn.effects.push({
    type: "reconfigure",
    ref: state.lastRef,
    instance: action.instance,
    config: outcome.config,
    timeoutMs: manifest.startTimeoutMs,
  });
}

/** It runs with the configuration, or goes on with the one that it had. */
export function reconfigureAnswered(
  state: SiteState,
  turn: Turn,
  ref: number,
  answer: ReconfigureAnswer,
): void {
  const asked = state.asks.get(ref);
  if (asked?.type !== "reconfigure") return;
  state.asks.delete(ref);
  const { instance, command, configHash } = asked;
  switch (answer.type) {
    case "done": {
      instance.configuration = configHash;
      const at = placeOf(state, instance.spec);
      const data = { ...at, ...answerTo(command), configuration: configHash };
      emit(turn, { type: "ServiceReconfigured", data });
      return;
    }
    case "restart": {
      const { instance: id } = instance.spec;
      const reason = `${id} cannot take a configuration while it runs; restart it`;
      refuse(state, turn, command, { code: "HAL_CONFLICT", reason });
      return;
    }
    case "failed":
      refuse(state, turn, command, answer);
  }
}

/** Gives it the answer to its trouble. The service has it before it is asked to stop. */
export function answerTrouble(
  state: SiteState,
  turn: Turn,
  action: ActionOf<"AnswerTrouble">,
  command: Command,
): void {
  const { instance: id, ref } = action;
  const instance = state.instances.get(id);
  if (instance === undefined || stateOfInstance(instance) === "killing") {
    const reason = `${id} does not run on ${state.options.node}`;
    refuse(state, turn, command, { code: "HAL_SERVICE_NOT_RUNNING", reason });
    return;
  }
  answerKnownTrouble(state, turn, instance, action);
  // Also of a trouble that is not known: it was answered before, and the answer to that was lost.
  const data = { ...placeOf(state, instance.spec), ...answerTo(command), ref };
  emit(turn, { type: "TroubleAnswered", data });
}

function answerKnownTrouble(
  state: SiteState,
  turn: Turn,
  instance: Instance,
  { ref, answer, data }: ActionOf<"AnswerTrouble">,
): void {
  const trouble = instance.troubles.get(ref);
  if (trouble === undefined) return;
  instance.troubles.delete(ref);
  turn.effects.push({
    type: "answerTrouble",
    instance: instance.spec.instance,
    ref,
    answer: data === undefined ? { answer } : { answer, data },
  });
  const { code } = trouble;
  const reason = `trouble ${code}: ${trouble.reason}`.slice(0, reasonCharsMax);
  if (answer === "restart") {
    const cause = { code: "HAL_FAILED", reason, cause: "trouble" as const, failureCode: code };
    take(state, turn, instance, { type: "givenUp", cause });
  } else if (answer === "stop") take(state, turn, instance, { type: "exiting", reason });
}

/** The running instance; null when the command was refused. */
function find(state: SiteState, turn: Turn, id: string, command: Command): Instance | null {
  const instance = state.instances.get(id);
  const at = instance === undefined ? "not here" : stateOfInstance(instance);
  if (instance !== undefined && at === "running") return instance;
  const reason = `${id} does not run on ${state.options.node}: it is ${at}`;
  refuse(state, turn, command, { code: "HAL_SERVICE_NOT_RUNNING", reason });
  return null;
}
