/** Brings a lost node back: waits, tries, reboots it, and at last makes sure that nothing runs on it. */
import {
  type DoContext,
  defineRules,
  type EffectContext,
  events,
  on,
  type RuleGraph,
  statechart,
  z,
} from "@halon/rules";
import { msOf, Time } from "./duration.ts";
import { fenceRef, heard, LadderHeld, ladderOf, node, Request } from "./ladder.ts";
import { Name } from "./names.ts";

/** A program of the allow-list of the nodes; `{node}` in an argument is the name of the lost node. */
const Program = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, "expected a name of a-z, 0-9 and . _ -"),
  args: z.array(z.string().max(4_096)).max(64).default(["{node}"]),
});
type Program = z.infer<typeof Program>;

const Options = z.strictObject({
  /** A suspicion is given so long to prove wrong. A node that is lost is tried at once. */
  suspectFor: Time.default("30s"),
  try: Program.optional(),
  tryFor: Time.default("1m"),
  reboot: Program.optional(),
  rebootFor: Time.default("5m"),
  fence: Program.optional(),
  fenceFor: Time.default("1m"),
  /** The node that runs the programs; without it the first other one that is up. */
  runOn: Name.optional(),
  /** Whether a node that is fenced is removed, so that nothing waits for it any more. */
  removeFenced: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/** Ends the name of the operation that removes a fenced node. */
const fencedMark = "-fenced";

type Effect = EffectContext<ReturnType<typeof ladderOf>, unknown>;

export default defineRules(
  (options) => {
    const { suspectFor, tryFor, rebootFor, fenceFor, removeFenced } = options;
    const steps = { suspectFor, tryFor, rebootFor, fenceFor };
    const machine = ladderOf({
      ...steps,
      hasReboot: options.reboot !== undefined,
      hasFence: options.fence !== undefined,
    });
    const longest = Object.values(steps).reduce((sum, time) => sum + msOf(time), 60_000);
    return {
      suspected: on(events.NodeSuspected)
        .where(({ event, graph }) => stateOf(graph, event.node) === "suspect")
        .where(({ event, graph }) => reasonToHold(graph, event.node) === undefined)
        .do(({ event, job }) => job.start("recover", { node: event.node, isLost: false })),

      lost: on(events.NodeLost)
        .where(({ event, graph }) => stateOf(graph, event.node) === "down")
        .where(({ event, graph }) => reasonToHold(graph, event.node) === undefined)
        .do(({ event, job }) => job.start("recover", { node: event.node, isLost: true })),

      recover: statechart({
        on: heard,
        requests: { schema: Request, by: node },
        machine,
        effects: {
          try: (effect) => climb(effect, options, "try", tryFor),
          reboot: (effect) => climb(effect, options, "reboot", rebootFor),
          fence: (effect) => climb(effect, options, "fence", fenceFor),
          removeFenced: (effect) => tellFenced(effect, removeFenced),
          giveUp: ({ context, alert }) =>
            alert.raise(context.node, {
              severity: "critical",
              text: `${context.node} does not come back: a person has to look at it`,
            }),
        },
        deadline: longest,
      }),

      back: on(events.NodeJoined).do(calm),
      trusted: on(events.NodeTrusted).do(calm),
      // Not of one that was removed by this file: people have to know of it.
      removed: on(events.NodeRemoveRequested)
        .where(({ event }) => !event.operation.endsWith(fencedMark))
        .do(calm),
      maintained: on(events.NodeMaintenanceRequested).do(calm),
    };
  },
  { options: Options, events: [LadderHeld] },
);

/** Does one step about the node, unless something forbids it now. */
function climb(
  { context, graph, alert, publish, run, envelope }: Effect,
  options: Options,
  step: "try" | "reboot" | "fence",
  time: string,
): void {
  const { node: name } = context;
  const program = options[step];
  const runner = options.runOn ?? runnerFor(graph, name);
  const hold =
    reasonToHold(graph, name) ??
    (program !== undefined && runner === undefined ? "no other node is up to act" : undefined);
  if (hold !== undefined) {
    alert.raise(name, { severity: "critical", text: `nothing is done about ${name}: ${hold}` });
    publish(LadderHeld, { node: name, reason: hold });
    return;
  }
  const text = `${name} is gone; step: ${step}${program === undefined ? ", by waiting" : ` by ${program.name}`}`;
  alert.raise(name, { severity: "warning", text });
  if (program === undefined || runner === undefined) return;
  const prefix = step === "fence" ? fenceRef : `${step}-`;
  run(program.name, {
    on: runner,
    args: argumentsOf(program, name),
    deadlineMs: msOf(time),
    ref: `${prefix}${name}-${envelope.id}`,
  });
}

function argumentsOf({ args }: Program, name: string): readonly string[] {
  return args.map((each) => each.replaceAll("{node}", name));
}

function tellFenced({ context, alert, publish, envelope }: Effect, isRemoved: boolean): void {
  const { node: name } = context;
  const reason = `${name} is fenced: nothing runs on it`;
  const then = isRemoved ? "; it is removed, and joins again after a resume" : "";
  alert.raise(name, { severity: "critical", text: `${reason}${then}` });
  const operation = `${envelope.id}${fencedMark}`;
  if (isRemoved) publish(events.NodeRemoveRequested, { operation, node: name, reason });
}

function stateOf(graph: RuleGraph, name: string): string | undefined {
  return graph.get("Node", name)?.attributes.state;
}

/** Why nothing is done about the node, whatever becomes of it. */
function reasonToHold(graph: RuleGraph, name: string): string | undefined {
  const { mode } = graph.get("Node", name)?.attributes ?? {};
  if (mode === "maintenance" || mode === "decommissioned") return `it is in the mode ${mode}`;
  const isTripped = graph.list("Cluster")[0]?.attributes.breaker !== undefined;
  return isTripped ? "too many nodes are lost: see halonctl breaker show" : undefined;
}

function runnerFor(graph: RuleGraph, name: string): string | undefined {
  return graph
    .list("Node", { state: "up" })
    .find(({ id, attributes }) => id !== name && attributes.mode === undefined)?.id;
}

/** The node is there again, or a person has said what is to become of it; the built-in rules have decided on that. */
function calm({ event, graph, alert }: DoContext<{ readonly node: string }>): void {
  const { state, mode } = graph.get("Node", event.node)?.attributes ?? {};
  const isTakenCareOf = mode === "maintenance" || mode === "decommissioned";
  if (state === "up" || isTakenCareOf) alert.clear(event.node, "it is back, or taken care of");
}
