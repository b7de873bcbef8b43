/** The statechart of a rolling restart. */
import {
  assign,
  by,
  defineEvent,
  effect,
  events,
  type JobCancel,
  type JobRequest,
  setup,
  z,
} from "@halon/rules";
import { msOf } from "./duration.ts";
import { Name } from "./names.ts";

export const Request = z.strictObject({
  service: Name,
  batch: z.number().int().min(1).max(1_000).optional(),
  reason: z.string().max(500).optional(),
});
export type Request = z.infer<typeof Request>;

export const Place = z.strictObject({ node: z.string(), instance: z.string() });
export type Place = z.infer<typeof Place>;

export const RollPlanned = defineEvent({
  type: "RollPlanned",
  sentBy: "rule",
  schema: z.strictObject({ service: z.string(), isKnown: z.boolean(), places: z.array(Place) }),
});
/** Nothing is wanted there any more. */
export const RollPlaceGone = defineEvent({
  type: "RollPlaceGone",
  sentBy: "rule",
  schema: z.strictObject({ service: z.string(), node: z.string() }),
});
export const RollStopped = defineEvent({
  type: "RollStopped",
  sentBy: "rule",
  schema: z.strictObject({
    service: z.string(),
    reason: z.string(),
    done: z.array(z.string()),
    left: z.array(z.string()),
  }),
});
/** A person says that it goes on. */
const RollResumeRequested = defineEvent({
  type: "RollResumeRequested",
  schema: z.strictObject({ service: Name }),
});

interface Doing extends Place {
  readonly state: "asked" | "started" | "well";
}

export interface Context {
  readonly service: string;
  readonly batch: number;
  readonly reason: string;
  /** Nodes on which it has been restarted. */
  readonly done: readonly string[];
  readonly doing: readonly Doing[];
  readonly waiting: readonly Place[];
  readonly problem: string;
}

export const at = (e: { readonly service: string }) => e.service;
export const heard = [
  by(RollPlanned, at),
  by(RollPlaceGone, at),
  by(RollResumeRequested, at),
  by(events.ServiceStarted, at),
  by(events.ServiceChecked, at),
  by(events.ServiceBroken, at),
  by(events.ServiceFailed, at),
  by(events.ServiceHealthChanged, at),
] as const;
type Heard = NonNullable<(typeof heard)[number]["hears"]>;

/** How long each part of a rolling restart may take, as times such as `2m`. */
interface Times {
  readonly batch: number;
  readonly within: string;
  readonly checkEvery: string;
  readonly steady: string;
  readonly hold: string;
}

const roll = setup({
  types: {
    context: {} as Context,
    input: {} as JobRequest<Request>,
    events: {} as Heard | JobCancel,
    output: {} as { readonly restarted: readonly string[] },
  },
  actions: {
    plan: effect,
    restart: effect,
    check: effect,
    report: effect,
    clear: effect,
    takePlan: assign(({ event }) =>
      event.type === "RollPlanned" ? { waiting: event.data.places } : {},
    ),
    takeBatch: assign(({ context: { waiting, batch: size } }) => ({
      doing: waiting.slice(0, size).map((place) => ({ ...place, state: "asked" as const })),
      waiting: waiting.slice(size),
    })),
    noteStarted: assign(({ context, event }) => ({ doing: marked(context, event, "started") })),
    noteWell: assign(({ context, event }) => ({ doing: marked(context, event, "well") })),
    endBatch: assign(({ context: { done, doing } }) => ({
      done: [...done, ...doing.map(({ node }) => node)],
      doing: [],
    })),
    noteLate: assign(({ context }) => ({ problem: `${late(context)} is not well in time` })),
    noteProblem: assign(({ event }) => ({ problem: problemOf(event) })),
  },
  guards: {
    isNothingLeft: ({ context }) => context.waiting.length === 0,
    isUnknown: ({ event }) => event.type === "RollPlanned" && !event.data.isKnown,
    isPlanEmpty: ({ event }) => event.type === "RollPlanned" && event.data.places.length === 0,
    isStart: ({ context, event }) => event.type === "ServiceStarted" && isOfBatch(context, event),
    isWell: ({ context, event }) => isWell(context, event),
    isLastWell: ({ context, event }) =>
      isWell(context, event) &&
      marked(context, event, "well").every(({ state }) => state === "well"),
    isOfBatch: ({ context, event }) => isOfBatch(context, event),
    isBadOfBatch: ({ context, event }) => isBad(event) && isOfBatch(context, event),
  },
});

/** The machine of one rolling restart, of one service. */
export function roller({ batch, within, checkEvery, steady, hold }: Times) {
  return roll.createMachine({
    context: ({ input: { data } }) => ({
      service: data.service,
      batch: data.batch ?? batch,
      reason: data.reason ?? "a rolling restart",
      done: [],
      doing: [],
      waiting: [],
      problem: "",
    }),
    initial: "planning",
    output: ({ context }) => ({ restarted: context.done }),
    states: {
      planning: {
        entry: "plan",
        on: {
          RollPlanned: [
            { guard: "isUnknown", target: "no such service" },
            { guard: "isPlanEmpty", target: "done" },
            { target: "restarting", actions: "takePlan" },
          ],
        },
        after: { 10000: "given up" },
      },
      restarting: {
        entry: ["takeBatch", "restart"],
        initial: "waiting",
        on: {
          ServiceStarted: { guard: "isStart", actions: ["noteStarted", "check"] },
          ServiceChecked: [
            { guard: "isLastWell", target: "proving", actions: "noteWell" },
            { guard: "isWell", actions: "noteWell" },
          ],
          RollPlaceGone: [
            { guard: "isLastWell", target: "proving", actions: "noteWell" },
            { guard: "isWell", actions: "noteWell" },
          ],
          ServiceBroken: { guard: "isOfBatch", target: "stopped", actions: "noteProblem" },
        },
        after: { [msOf(within)]: { target: "stopped", actions: "noteLate" } },
        states: {
          waiting: {
            after: { [msOf(checkEvery)]: { target: "waiting", reenter: true, actions: "check" } },
          },
        },
      },
      proving: {
        on: {
          ServiceFailed: { guard: "isOfBatch", target: "stopped", actions: "noteProblem" },
          ServiceBroken: { guard: "isOfBatch", target: "stopped", actions: "noteProblem" },
          ServiceHealthChanged: {
            guard: "isBadOfBatch",
            target: "stopped",
            actions: "noteProblem",
          },
        },
        after: { [msOf(steady)]: { target: "next", actions: "endBatch" } },
      },
      next: { always: [{ guard: "isNothingLeft", target: "done" }, { target: "restarting" }] },
      stopped: {
        entry: "report",
        on: {
          RollResumeRequested: { target: "planning", actions: "clear" },
          cancel: { target: "cancelled", actions: "clear" },
        },
        after: { [msOf(hold)]: "given up" },
      },
      done: { type: "final" },
      cancelled: { type: "final" },
      "no such service": { type: "final", tags: "failed" },
      "given up": { type: "final", tags: "failed", entry: "clear" },
    },
  });
}

type Event = Heard | JobCancel | JobRequest<Request>;

function nodeOf({ data }: Event): string {
  return "node" in data ? data.node : "";
}

/** An event of a place of the batch, and not of the instance that was there before. */
function isOfBatch({ doing }: Context, event: Event): boolean {
  const { data } = event;
  const found = doing.find(({ node }) => node === nodeOf(event));
  return found !== undefined && !("instance" in data && data.instance === found.instance);
}

function isWell(context: Context, event: Event): boolean {
  if (!isOfBatch(context, event)) return false;
  return (
    event.type === "RollPlaceGone" ||
    (event.type === "ServiceChecked" && event.data.health === "ok")
  );
}

function isBad({ type, data }: Event): boolean {
  return type === "ServiceHealthChanged" && (data.health === "warn" || data.health === "fail");
}

function marked({ doing }: Context, event: Event, state: Doing["state"]): readonly Doing[] {
  return doing.map((each) => (each.node === nodeOf(event) ? { ...each, state } : each));
}

function late({ service, doing }: Context): string {
  const nodes = doing.filter(({ state }) => state !== "well").map(({ node }) => node);
  return `${service} on ${nodes.join(", ")}`;
}

function problemOf(event: Event): string {
  const { data } = event;
  const why = "reason" in data ? data.reason : "detail" in data ? data.detail : undefined;
  return `${nodeOf(event)}: ${event.type}${why === undefined ? "" : `, ${why}`}`;
}
