/** The statechart of the recovery of one node. */
import {
  by,
  defineEvent,
  effect,
  events,
  type JobEvent,
  type JobRequest,
  runAwaited,
  setup,
  z,
} from "@halon/rules";
import { msOf } from "./duration.ts";

export const Request = z.strictObject({ node: z.string(), isLost: z.boolean() });
type Request = z.infer<typeof Request>;

/** Nothing more is done about the node now. */
export const LadderHeld = defineEvent({
  type: "LadderHeld",
  sentBy: "rule",
  schema: z.strictObject({ node: z.string(), reason: z.string() }),
});

interface Context {
  readonly node: string;
  readonly isLost: boolean;
}

export const node = (e: { readonly node: string }): string => e.node;
export const heard = [
  by(events.NodeLost, node),
  by(events.NodeTrusted, node),
  by(events.NodeJoined, node),
  by(events.NodeMaintenanceRequested, node),
  by(events.NodeRemoveRequested, node),
  by(events.BreakerTripped, (e) => e.nodes),
  by(LadderHeld, node),
  runAwaited,
] as const;
type Heard = NonNullable<(typeof heard)[number]["hears"]>;

const ladder = setup({
  types: {
    context: {} as Context,
    input: {} as JobRequest<Request>,
    events: {} as Heard,
    output: {} as { readonly node: string },
  },
  actions: {
    try: effect,
    reboot: effect,
    fence: effect,
    removeFenced: effect,
    giveUp: effect,
  },
  guards: {
    isLost: ({ context }) => context.isLost,
    isBegun: ({ event }) => event.type === "NodeMaintenanceRequested" && event.data.on,
    isFenced: ({ event }) => isOfFence(event) && event.data.outcome === "done",
    isOfFence: ({ event }) => isOfFence(event),
    // Replaced by what the options say.
    hasReboot: () => false,
    hasFence: () => false,
  },
});

/** How what has the node fenced calls its run, so that its end is told from that of an earlier step. */
export const fenceRef = "fence-";

function isOfFence(event: Heard): event is JobEvent<typeof events.RunEnded> {
  return event.type === "RunEnded" && event.data.ref.startsWith(fenceRef);
}

/** The steps that the options have, and how long each may take, as times such as `2m`. */
interface Steps {
  readonly suspectFor: string;
  readonly tryFor: string;
  readonly rebootFor: string;
  readonly fenceFor: string;
  readonly hasReboot: boolean;
  readonly hasFence: boolean;
}

/** The machine of the recovery of one node. */
export function ladderOf({ suspectFor, tryFor, rebootFor, fenceFor, ...has }: Steps) {
  const guards = { hasReboot: () => has.hasReboot, hasFence: () => has.hasFence };
  return ladder
    .createMachine({
      context: ({ input: { data } }) => data,
      initial: "suspected",
      output: ({ context }) => ({ node: context.node }),
      on: {
        NodeTrusted: ".recovered",
        NodeJoined: ".recovered",
        NodeMaintenanceRequested: { guard: "isBegun", target: ".left to people" },
        NodeRemoveRequested: ".left to people",
        BreakerTripped: ".held",
        LadderHeld: ".held",
      },
      states: {
        suspected: {
          always: { guard: "isLost", target: "trying" },
          on: { NodeLost: "trying" },
          after: { [msOf(suspectFor)]: "trying" },
        },
        trying: {
          entry: "try",
          after: {
            [msOf(tryFor)]: [
              { guard: "hasReboot", target: "rebooting" },
              { guard: "hasFence", target: "fencing" },
              { target: "given up" },
            ],
          },
        },
        rebooting: {
          entry: "reboot",
          after: {
            [msOf(rebootFor)]: [{ guard: "hasFence", target: "fencing" }, { target: "given up" }],
          },
        },
        fencing: {
          entry: "fence",
          on: {
            RunEnded: [
              { guard: "isFenced", target: "fenced" },
              { guard: "isOfFence", target: "given up" },
            ],
          },
          after: { [msOf(fenceFor)]: "given up" },
        },
        recovered: { type: "final" },
        "left to people": { type: "final" },
        fenced: { type: "final", tags: "failed", entry: "removeFenced" },
        held: { type: "final", tags: "failed" },
        "given up": { type: "final", tags: "failed", entry: "giveUp" },
      },
    })
    .provide({ guards });
}
