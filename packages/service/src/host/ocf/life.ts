import type { FailureCause } from "@halon/protocol";
import type { RunnerEvent } from "../runner.ts";
import { isUp, type Verdict } from "./verdict.ts";

/**
 * Where a resource stands. At most one call of the agent is under way at a time, as OCF demands; `busy` names it.
 */
export type Life = Arriving | Running | Ending | { readonly at: "ended" };

interface Arriving {
  readonly at: "arriving";
  /** `clear` is the stop of what was found failed before the start. */
  readonly busy: "nothing" | "validate-all" | "probe" | "clear" | "start" | "monitor" | "pause";
}

interface Running {
  readonly at: "running";
  readonly busy: string | null;
  /** Something happened that the call under way may not have seen: a look follows. */
  readonly again: boolean;
}

interface Ending {
  readonly at: "ending";
  /** `stuck`: processes are left that cannot be ended. */
  readonly busy: "drop" | "kill" | "stop" | "monitor" | "rest" | "stuck";
  /** From the second round on its processes are killed first. */
  readonly round: number;
  readonly end: End;
  /** What `stop` and the monitor after it said in this round. */
  readonly stop: Verdict | null;
  readonly monitor: Verdict | null;
}

/** Why and how a resource is ended. */
interface End {
  readonly why: string;
  readonly cause: FailureCause;
  /** A person or a rule wants it; a kill that follows says that its time is over. */
  readonly asked: boolean;
  /** It is dead or hangs: to ask it nicely would only take time. */
  readonly killFirst: boolean;
}

/** What happens to a resource. */
export type LifeInput =
  /** `adopted`: an earlier `halond` had it running. */
  | { readonly type: "begin"; readonly adopted: boolean }
  /** The call under way has ended. */
  | { readonly type: "returned"; readonly verdict: Verdict }
  /** The pause between two monitors of a start is over. */
  | { readonly type: "resume" }
  /** It has had its time to start. */
  | { readonly type: "late" }
  /** A look is wanted; `fresh`: one that begins from now on. */
  | { readonly type: "look"; readonly fresh: boolean }
  /** Another action is wanted, such as promote. */
  | { readonly type: "act"; readonly action: string }
  /** Its processes were ended, up to those. */
  | { readonly type: "killed"; readonly left: readonly number[] }
  | { readonly type: "stop" }
  | { readonly type: "kill" };

/** Work for the driver, in this order. */
export type LifeEffect =
  /** Calls the agent; `returned` follows. A probe asks about what nobody has started. */
  | { readonly type: "call"; readonly action: string; readonly probe: boolean }
  /** Ends the call under way; `returned` follows. */
  | { readonly type: "drop" }
  /** Ends its processes; `killed` follows. */
  | { readonly type: "endProcesses"; readonly gentle: boolean }
  /** Waits a little; `resume` follows. */
  | { readonly type: "pause" }
  /** Looks which processes it has, and watches them. */
  | { readonly type: "watch" }
  | { readonly type: "report"; readonly event: RunnerEvent };

export type LifeStep = readonly [Life, readonly LifeEffect[]];

/** Before anything has happened. */
export const unborn: Life = { at: "arriving", busy: "nothing" };

/** Advances a resource by one input. Deterministic; what a state does not expect changes nothing. */
export function advance(life: Life, input: LifeInput, actions: ReadonlySet<string>): LifeStep {
  switch (life.at) {
    case "arriving":
      return arriving(life, input, actions);
    case "running":
      return running(life, input);
    case "ending":
      return ending(life, input);
    case "ended":
      return [life, []];
  }
}

function arriving(life: Arriving, input: LifeInput, actions: ReadonlySet<string>): LifeStep {
  switch (input.type) {
    case "begin":
      return begin(input.adopted, actions);
    case "returned":
      return arrived(life, input.verdict);
    case "resume":
      return life.busy === "pause" ? [{ ...life, busy: "monitor" }, [call("monitor")]] : [life, []];
    case "late": {
      if (life.busy !== "monitor" && life.busy !== "pause") return [life, []];
      const reason = "start returned 0, but monitor has not said in time that it runs";
      return fail(life, problem("HAL_SERVICE_START", reason), false);
    }
    case "stop":
    case "kill":
      return enterEnding(life, asked(input.type === "stop"));
    default:
      return [life, []];
  }
}

function begin(adopted: boolean, actions: ReadonlySet<string>): LifeStep {
  if (adopted) {
    const [, effects] = becomeReady();
    // What the first monitor finds is told like any other change.
    const next: Running = { at: "running", busy: "monitor", again: false };
    return [next, [report({ type: "loaded" }), ...effects, call("monitor")]];
  }
  if (!actions.has("validate-all")) return probe();
  return [{ at: "arriving", busy: "validate-all" }, [call("validate-all")]];
}

function probe(): LifeStep {
  return [{ at: "arriving", busy: "probe" }, [report({ type: "loaded" }), call("monitor", true)]];
}

function arrived(life: Arriving, verdict: Verdict): LifeStep {
  const { means, text } = verdict;
  const idle: Arriving = { at: "arriving", busy: "nothing" };
  switch (life.busy) {
    case "validate-all":
      // Some agents have the action in their meta-data only.
      if (means === "success" || means === "unimplemented") return probe();
      return refuse(verdict);
    case "probe":
      if (isUp(verdict)) return becomeReady();
      if (means === "notRunning") return startNow();
      if (isHopeless(verdict)) return refuse(verdict);
      return [{ at: "arriving", busy: "clear" }, [call("stop")]];
    case "clear":
      if (means === "success") return startNow();
      return fail(idle, problem("HAL_SERVICE_START", `it was found failed, and ${text}`), true);
    case "start":
      if (means === "success") return [{ ...life, busy: "monitor" }, [call("monitor")]];
      return fail(idle, problem(codeOf(verdict), text), means === "late");
    case "monitor":
      if (isUp(verdict)) return becomeReady();
      if (isHopeless(verdict)) return fail(idle, problem(codeOf(verdict), text), false);
      return [{ ...life, busy: "pause" }, [{ type: "pause" }]];
    default:
      return [life, []];
  }
}

/** Neither a start nor a stop will change it. */
function isHopeless({ means }: Verdict): boolean {
  return means === "misconfigured" || means === "unusable" || means === "unimplemented";
}

function startNow(): LifeStep {
  return [{ at: "arriving", busy: "start" }, [call("start")]];
}

function becomeReady(): LifeStep {
  const idle: Running = { at: "running", busy: null, again: false };
  // The processes first: the report of its start names one of them.
  return [idle, [{ type: "watch" }, report({ type: "ready" })]];
}

/** It cannot be started, and nothing was: there is nothing to end. */
function refuse(verdict: Verdict): LifeStep {
  const exited = { code: null, signal: null };
  return [
    { at: "ended" },
    [
      report(problem(codeOf(verdict), verdict.text)),
      report({ type: "exited", exit: exited, reason: "it was not started" }),
    ],
  ];
}

function running(life: Running, input: LifeInput): LifeStep {
  switch (input.type) {
    case "look":
      if (life.busy === null) return [{ ...life, busy: "monitor" }, [call("monitor")]];
      if (life.busy === "monitor" && !input.fresh) return [life, []];
      return [{ ...life, again: true }, []];
    case "act":
      if (life.busy !== null) return [life, []];
      return [{ ...life, busy: input.action, again: true }, [call(input.action)]];
    case "returned":
      return life.busy === "monitor" ? looked(life, input.verdict) : goOn(life);
    case "stop":
      return enterEnding(life, asked(true));
    case "kill":
      // Somebody else has seen that it hangs.
      return enterEnding(life, { ...asked(false), killFirst: true });
    default:
      return [life, []];
  }
}

function looked(life: Running, verdict: Verdict): LifeStep {
  const { means, text } = verdict;
  if (isUp(verdict)) return goOn(life);
  const idle: Running = { ...life, busy: null };
  switch (means) {
    case "notRunning":
      // What is left of it is of no use to anybody, and could keep its port from the next one.
      return fail(idle, problem("HAL_FAILED", text, "exit"), true);
    case "late":
      return fail(idle, problem("HAL_FAILED", `it hangs: ${text}`, "hung"), true);
    default:
      return fail(idle, problem("HAL_FAILED", text, "liveness"), false);
  }
}

/** The call under way has ended well; the next one, if one is due. */
function goOn(life: Running): LifeStep {
  if (!life.again) return [{ ...life, busy: null }, []];
  return [{ ...life, busy: "monitor", again: false }, [call("monitor")]];
}

/** Tells why, and ends it. */
function fail(life: Arriving | Running, told: Problem, killFirst: boolean): LifeStep {
  const end: End = { why: told.reason, cause: told.cause ?? "exit", asked: false, killFirst };
  const [next, effects] = enterEnding(life, end);
  return [next, [report(told), ...effects]];
}

function asked(isStop: boolean): End {
  const why = isStop ? "it was asked to stop" : "it was ended by force";
  return { why, cause: "exit", asked: isStop, killFirst: false };
}

function enterEnding(life: Arriving | Running, end: End): LifeStep {
  const isBusy = life.busy !== null && life.busy !== "nothing" && life.busy !== "pause";
  const begun: Ending = { at: "ending", busy: "drop", round: 1, end, stop: null, monitor: null };
  return isBusy ? [begun, [{ type: "drop" }]] : beginRound(begun);
}

function beginRound(life: Ending): LifeStep {
  const next: Ending = { ...life, stop: null, monitor: null };
  if (life.round > 1 || life.end.killFirst) {
    return [{ ...next, busy: "kill" }, [{ type: "endProcesses", gentle: false }]];
  }
  return [{ ...next, busy: "stop" }, [call("stop")]];
}

function ending(life: Ending, input: LifeInput): LifeStep {
  switch (input.type) {
    case "returned":
      return endingReturned(life, input.verdict);
    case "killed":
      if (life.busy === "kill") return [{ ...life, busy: "stop" }, [call("stop")]];
      return life.busy === "rest" ? settle(life, input.left) : [life, []];
    case "kill":
      if (life.busy === "stuck") return beginRound({ ...life, round: life.round + 1 });
      // Every call has its deadline, so after a failure nothing is in need of haste. A stop that was asked for is over time.
      if (!life.end.asked || life.round > 1) return [life, []];
      if (life.busy === "stop" || life.busy === "monitor") {
        return [{ ...life, busy: "drop", round: 2 }, [{ type: "drop" }]];
      }
      return [{ ...life, end: { ...life.end, killFirst: true } }, []];
    default:
      return [life, []];
  }
}

function endingReturned(life: Ending, verdict: Verdict): LifeStep {
  switch (life.busy) {
    case "drop":
      return beginRound(life);
    case "stop":
      return [{ ...life, busy: "monitor", stop: verdict }, [call("monitor", true)]];
    case "monitor": {
      // Whatever it says: what bears the mark of the resource must not outlive it.
      const gentle = life.round === 1 && !life.end.killFirst;
      return [{ ...life, busy: "rest", monitor: verdict }, [{ type: "endProcesses", gentle }]];
    }
    default:
      return [life, []];
  }
}

/** Its processes are ended, and the agent has spoken: is it over? */
function settle(life: Ending, left: readonly number[]): LifeStep {
  if (left.length > 0) return [{ ...life, busy: "stuck" }, []];
  if (life.monitor?.means === "notRunning") return over(life, life.end.why);
  if (life.round === 1) return beginRound({ ...life, round: 2 });
  // It was stopped twice and none of its processes is left: to wait on would block the service for ever.
  const said = [life.stop?.text, life.monitor?.text].filter((text) => text !== undefined);
  const doubt = `none of its processes is left, but the agent does not confirm that it is stopped: ${said.join("; ")}`;
  return over(life, `${life.end.why}; ${doubt}`);
}

function over({ end }: Ending, reason: string): LifeStep {
  const exit = { code: null, signal: null };
  return [{ at: "ended" }, [report({ type: "exited", exit, reason, cause: end.cause })]];
}

type Problem = Extract<RunnerEvent, { type: "problem" }>;

function problem(code: Problem["code"], reason: string, cause?: FailureCause): Problem {
  return { type: "problem", code, reason: reason.slice(0, 2_000), cause };
}

function codeOf({ means }: Verdict): Problem["code"] {
  return means === "misconfigured" ? "HAL_CONFIG_INVALID" : "HAL_SERVICE_START";
}

function call(action: string, isProbe = false): LifeEffect {
  return { type: "call", action, probe: isProbe };
}

function report(event: RunnerEvent): LifeEffect {
  return { type: "report", event };
}
