/** Restarts what many failing services depend on, once, instead of each of them again and again. */
import {
  by,
  defineRules,
  type EffectContext,
  effect,
  events,
  type JobEvent,
  type JobRequest,
  on,
  type RuleGraph,
  setup,
  statechart,
  z,
} from "@halon/rules";
import { msOf, Time } from "./duration.ts";
import { Name } from "./names.ts";

const Options = z.strictObject({
  /** So many different services that depend on one fail within that time. */
  services: z.number().int().min(2).max(10_000).default(3),
  within: Time.default("30s"),
  /** What they depend on must run again by then. */
  backWithin: Time.default("2m"),
  /** When it has run for so long, those that did not get well by themselves are restarted. */
  settle: Time.default("5s"),
  /** It is not restarted again before so much time has passed. */
  every: Time.default("10m"),
  /** Services that may be restarted for the sake of others; empty: all. */
  causes: z.array(Name).max(1_000).default([]),
});
type Options = z.infer<typeof Options>;

const Request = z.strictObject({ cause: z.string() });
type Request = z.infer<typeof Request>;

/** By service that depends on it: when it failed, log time in ms. */
type Failed = Readonly<Record<string, number>>;

const recovery = setup({
  types: {
    context: {} as Request,
    input: {} as JobRequest<Request>,
    events: {} as JobEvent<typeof events.ServiceStarted | typeof events.ServiceFailed>,
  },
  actions: { restartCause: effect, restartOthers: effect, giveUp: effect },
});

function machineOf({ backWithin, settle }: Options) {
  return recovery.createMachine({
    context: ({ input }) => input.data,
    initial: "asked",
    states: {
      asked: {
        entry: "restartCause",
        on: { ServiceStarted: "settling" },
        after: { [msOf(backWithin)]: "given up" },
      },
      // Its own restart policy starts it again.
      awaited: { on: { ServiceStarted: "settling" }, after: { [msOf(backWithin)]: "given up" } },
      settling: { on: { ServiceFailed: "awaited" }, after: { [msOf(settle)]: "done" } },
      done: { type: "final", entry: "restartOthers" },
      "given up": { type: "final", tags: "failed", entry: "giveUp" },
    },
  });
}

type Effect = EffectContext<ReturnType<typeof machineOf>, unknown>;

export default defineRules(
  (options) => ({
    fails: on(events.ServiceFailed).do(({ event, graph, memory, now, job, why }) => {
      for (const cause of causesOf(graph, event.service, options.causes)) {
        const known = (memory.get(`failed/${cause}`) ?? {}) as Failed;
        const recent = Object.entries(known).filter(([, at]) => at >= now - msOf(options.within));
        const failed: Failed = { ...Object.fromEntries(recent), [event.service]: now };
        memory.set(`failed/${cause}`, failed);
        const count = Object.keys(failed).length;
        if (count < options.services || !isUsed(graph, cause)) continue;
        const last = memory.get(`restarted/${cause}`);
        if (typeof last === "number" && now - last < msOf(options.every)) continue;
        memory.set(`restarted/${cause}`, now);
        memory.set(`failed/${cause}`, null);
        why(`${count} services that depend on ${cause} have failed within ${options.within}`);
        job.start("recover", { cause });
      }
    }),

    recover: statechart({
      on: [by(events.ServiceStarted, (e) => e.service), by(events.ServiceFailed, (e) => e.service)],
      requests: { schema: Request, by: (request) => request.cause },
      machine: machineOf(options),
      effects: { restartCause, restartOthers, giveUp },
      deadline: "1d",
    }),

    back: on(events.ServiceStarted).do(({ event, alert }) =>
      alert.clear(event.service, "it runs again"),
    ),
  }),
  { options: Options },
);

/** The services that it depends on: those it comes after, and those of types that its type requires. */
function causesOf(graph: RuleGraph, service: string, only: readonly string[]): readonly string[] {
  const deployment = graph.get("Deployment", service)?.attributes;
  if (deployment === undefined) return [];
  const types = graph.get("Service", deployment.type)?.attributes.requires ?? [];
  const required = types.flatMap((type) => graph.list("Deployment", { type }).map(({ id }) => id));
  const causes = [...new Set([...(deployment.after ?? []), ...required])];
  return only.length === 0 ? causes : causes.filter((cause) => only.includes(cause));
}

/** Whether it has a place where nobody has stopped it, and nobody works on the node. */
function isUsed(graph: RuleGraph, service: string): boolean {
  return placesOf(graph, service).length > 0;
}

function placesOf(graph: RuleGraph, service: string): readonly string[] {
  return graph
    .out(`Deployment/${service}`, "places", "ServiceName")
    .filter(({ attributes }) => attributes.halted !== true)
    .map(({ attributes }) => attributes.node)
    .filter((node) => graph.get("Node", node)?.attributes.mode !== "maintenance");
}

function stateOf(graph: RuleGraph, service: string, node: string): string | undefined {
  const [instance] = graph.in(`ServiceName/${service}@${node}`, "holds", "ServiceInstance");
  return instance?.attributes.state;
}

/** One that has failed itself starts again by its own policy, and is waited for. */
function restartCause({ context, graph, command }: Effect): void {
  const { cause } = context;
  for (const node of placesOf(graph, cause)) {
    const state = stateOf(graph, cause, node);
    if (state === "running" || state === "degraded")
      command.restart(cause, { on: node, reason: "services that depend on it fail" });
  }
}

function restartOthers({ context, graph, command }: Effect): void {
  const { cause } = context;
  for (const { id } of graph.list("Deployment")) {
    if (!causesOf(graph, id, []).includes(cause)) continue;
    for (const node of placesOf(graph, id)) {
      const state = stateOf(graph, id, node);
      if (state === "failed" || state === "broken" || state === "degraded")
        command.restart(id, { on: node, reason: `${cause}, which it depends on, was restarted` });
    }
  }
}

function giveUp({ context, alert }: Effect): void {
  const text = `${context.cause} does not come back, and services that depend on it fail`;
  alert.raise(context.cause, { severity: "critical", text });
}
