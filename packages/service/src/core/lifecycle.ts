import type { Exit, FailureCause } from "@halon/protocol";
import { assign, type SnapshotFrom, setup } from "xstate";

/** States of an instance on its node (rfc/0002, life cycle). */
export type LifecycleState = "loading" | "starting" | "running" | "stopping" | "killing" | "ended";

/** Why an instance did not start, or failed. */
export interface Cause {
  readonly code: string;
  readonly reason: string;
  /** Absent: it is an `exit`, unless it was said before that. */
  readonly cause?: FailureCause | undefined;
  /** What the service itself called its failure. */
  readonly failureCode?: string | undefined;
}

/** Deadlines of one instance. */
export interface LifecycleInput {
  /** From spawn to ready. */
  readonly startTimeoutMs: number;
  /** From the request to stop to the exit. */
  readonly stopTimeoutMs: number;
}

/** What happens to an instance. Deadlines that were armed come back as the event that they hold. */
export type LifecycleEvent =
  | { readonly type: "loaded" }
  | { readonly type: "ready" }
  | { readonly type: "stop" }
  /** The service, its runner or the supervisor says that it cannot go on. */
  | { readonly type: "failed"; readonly cause: Cause }
  /** As `failed`, and its code is over: its exit, which will be this one, is awaited for what it holds, not for what it does. */
  | { readonly type: "crashed"; readonly cause: Cause; readonly exit: Exit }
  /** As `failed`, but it is well enough to be asked to stop, with the stop deadline. */
  | { readonly type: "givenUp"; readonly cause: Cause }
  /** The service says that its work is done: it is asked to stop, and its end is no failure. */
  | { readonly type: "exiting"; readonly reason: string }
  | {
      readonly type: "exited";
      readonly exit: Exit;
      readonly reason: string;
      readonly cause?: FailureCause | undefined;
    }
  | { readonly type: "deadline"; readonly event: DeadlineEvent };

/** The event inside of a deadline: made by the statechart, opaque to its driver. */
export interface DeadlineEvent {
  readonly type: string;
}

/** Work that the life cycle asks its driver to do, in this order. */
export type LifecycleEffect =
  | { readonly type: "spawn" }
  | { readonly type: "requestStop" }
  | { readonly type: "kill" }
  | { readonly type: "supervise" }
  | { readonly type: "reportStarted" }
  | { readonly type: "reportCouldNotStart"; readonly cause: Cause }
  | { readonly type: "reportFailed"; readonly cause: Cause; readonly exit: Exit }
  /** As `reportFailed`, and its exit is still to come: `leave` follows it. */
  | { readonly type: "reportCrashed"; readonly cause: Cause; readonly exit: Exit }
  /** One that was reported before has exited. */
  | { readonly type: "leave" }
  | { readonly type: "reportStopped"; readonly exit: Exit }
  /** It ended because its work was done, as it said before. */
  | { readonly type: "reportExited"; readonly reason: string; readonly exit: Exit }
  | {
      readonly type: "arm";
      readonly key: string;
      readonly delayMs: number;
      readonly event: DeadlineEvent;
    }
  | { readonly type: "disarm"; readonly key: string };

/** A point in the life of an instance. */
export type LifecycleSnapshot = SnapshotFrom<typeof lifecycle>;

/** The life of a new instance, and its first effects: it is spawned, with a deadline to be ready. */
export function start({ startTimeoutMs, stopTimeoutMs }: LifecycleInput): Begun {
  const key = `${startTimeoutMs} ${stopTimeoutMs}`;
  const known = beginnings.get(key);
  if (known !== undefined) return known;
  const actions: Action[] = [];
  const input: LifecycleInput = { startTimeoutMs, stopTimeoutMs };
  const snapshot = lifecycle.getInitialSnapshot(inertScope(actions), input);
  const begun = [snapshot, effectsOf(snapshot, actions)] as const;
  if (beginnings.size >= beginningsMax) beginnings.clear();
  beginnings.set(key, begun);
  return begun;
}

type Begun = readonly [LifecycleSnapshot, readonly LifecycleEffect[]];

/** Lives begin alike where their deadlines are equal, and nobody changes a snapshot. */
const beginnings = new Map<string, Begun>();
const beginningsMax = 64;

/**
 * What the statechart moves in: no actor. `initialTransition` and `transition` of XState make one each time, and begin the chart
 * once more for it.
 */
function inertScope(actions: Action[]): never {
  const nothing = (): void => undefined;
  const scope = {
    self: {},
    system: { _sendInspectionEvent: nothing },
    id: "",
    sessionId: "",
    defer: nothing,
    logger: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: Action) => void actions.push(action),
  };
  return scope as never;
}

/** Advances the instance by one event. Deterministic; what a state does not expect changes nothing. */
export function advance(
  snapshot: LifecycleSnapshot,
  event: LifecycleEvent,
): readonly [LifecycleSnapshot, readonly LifecycleEffect[]] {
  if (snapshot.status === "done") return [snapshot, []];
  const input = event.type === "deadline" ? (event.event as ChartEvent) : event;
  const actions: Action[] = [];
  const next = lifecycle.transition(snapshot, input, inertScope(actions)) as LifecycleSnapshot;
  return [next, effectsOf(next, actions)];
}

/** The state that a snapshot is in. */
export function stateOf(snapshot: LifecycleSnapshot): LifecycleState {
  const { value } = snapshot;
  return typeof value === "string" ? value : value.arriving;
}

type ChartEvent = Exclude<LifecycleEvent, { type: "deadline" }>;

interface Context extends LifecycleInput {
  /** The first reason to end it; what follows from it does not replace it. */
  readonly cause: Cause | null;
  readonly wasReady: boolean;
  readonly wasAsked: boolean;
  /** Why it said that its work is done. */
  readonly announced: string | null;
  readonly exit: Exit;
  /** Its end was told before its exit. */
  readonly isReported: boolean;
}

const perform = () => undefined;

const machine = setup({
  types: {
    context: {} as Context,
    events: {} as ChartEvent,
    input: {} as LifecycleInput,
  },
  delays: {
    startTimeout: ({ context }) => context.startTimeoutMs,
    stopTimeout: ({ context }) => context.stopTimeoutMs,
  },
  actions: {
    // Names for the driver; the statechart itself does nothing.
    spawn: perform,
    requestStop: perform,
    kill: perform,
    supervise: perform,
    reportStarted: perform,
    reportCrashed: perform,
    noteReady: assign({ wasReady: true }),
    noteAsked: assign({ wasAsked: true }),
    noteLate: assign({
      cause: ({ context }) => ({
        code: "HAL_SERVICE_NOT_READY",
        reason: `not ready within ${context.startTimeoutMs} ms`,
      }),
    }),
    noteFailure: assign({
      cause: ({ context, event }) =>
        context.cause ?? ("cause" in event && typeof event.cause === "object" ? event.cause : null),
    }),
    noteCrash: assign(({ event }) =>
      event.type === "crashed" ? { exit: event.exit, isReported: true } : {},
    ),
    noteExiting: assign({
      announced: ({ event }) => (event.type === "exiting" ? event.reason : null),
    }),
    noteExit: assign(({ context, event }) => {
      if (event.type !== "exited") return {};
      const code = context.wasReady ? "HAL_FAILED" : "HAL_SERVICE_START";
      const { exit, reason, cause = "exit" } = event;
      return { exit, cause: context.cause ?? { code, reason, cause } };
    }),
  },
});

const lifecycle = machine.createMachine({
  id: "instance",
  context: ({ input }) => ({
    ...input,
    cause: null,
    wasReady: false,
    wasAsked: false,
    announced: null,
    exit: { code: null, signal: null },
    isReported: false,
  }),
  initial: "arriving",
  on: { exited: { target: ".ended", actions: "noteExit" } },
  states: {
    arriving: {
      initial: "loading",
      entry: "spawn",
      // One deadline for both states: loading slowly leaves less time to become ready.
      after: { startTimeout: { target: "killing", actions: "noteLate" } },
      on: {
        // An OS process and a quick worker may be ready without a word about loading.
        ready: { target: "running", actions: ["noteReady", "reportStarted"] },
        stop: { target: "stopping", actions: "noteAsked" },
        exiting: { target: "stopping", actions: "noteExiting" },
        failed: { target: "killing", actions: "noteFailure" },
        // Nobody waits for its replacement yet: it is told with its exit.
        crashed: { target: "killing", actions: "noteFailure" },
        givenUp: { target: "stopping", actions: "noteFailure" },
      },
      states: { loading: { on: { loaded: "starting" } }, starting: {} },
    },
    running: {
      entry: "supervise",
      on: {
        stop: { target: "stopping", actions: "noteAsked" },
        exiting: { target: "stopping", actions: "noteExiting" },
        failed: { target: "killing", actions: "noteFailure" },
        crashed: { target: "killing", actions: ["noteFailure", "noteCrash", "reportCrashed"] },
        givenUp: { target: "stopping", actions: "noteFailure" },
      },
    },
    stopping: {
      entry: "requestStop",
      after: { stopTimeout: "killing" },
    },
    killing: {
      entry: "kill",
    },
    ended: {
      type: "final",
    },
  },
});

interface Action {
  readonly type: string;
  readonly params?: unknown;
}

/** The statechart's actions are names; what they need stands in its context. */
function effectsOf(snapshot: LifecycleSnapshot, actions: readonly Action[]): LifecycleEffect[] {
  const effects: LifecycleEffect[] = [];
  for (const action of actions) {
    const effect = effectOf(action, snapshot.context);
    if (effect !== null) effects.push(effect);
  }
  if (snapshot.status === "done") effects.push(endOf(snapshot.context));
  return effects;
}

function effectOf(action: Action, context: Context): LifecycleEffect | null {
  switch (action.type) {
    case "reportCrashed":
      return { type: action.type, cause: causeOf(context), exit: context.exit };
    case "spawn":
    case "requestStop":
    case "kill":
    case "supervise":
    case "reportStarted":
      return { type: action.type };
    case "xstate.raise": {
      const raise = action.params as { id: string; delay: number; event: DeadlineEvent };
      return { type: "arm", key: raise.id, delayMs: raise.delay, event: raise.event };
    }
    case "xstate.cancel": {
      const cancel = action.params as { sendId: string };
      return { type: "disarm", key: cancel.sendId };
    }
    default:
      return null;
  }
}

function endOf(context: Context): LifecycleEffect {
  const { exit } = context;
  if (context.isReported) return { type: "leave" };
  if (context.wasAsked) return { type: "reportStopped", exit };
  if (context.announced !== null) {
    return { type: "reportExited", reason: context.announced, exit };
  }
  const cause = causeOf(context);
  return context.wasReady
    ? { type: "reportFailed", cause, exit }
    : { type: "reportCouldNotStart", cause };
}

function causeOf({ cause }: Context): Cause {
  return cause ?? { code: "HAL_FAILED", reason: "it ended without a reason" };
}
