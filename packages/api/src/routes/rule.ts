import { type GraphView, HalonError } from "@halon/protocol";
import { readJson } from "../body.ts";
import type { InvariantView, RuleFileView } from "../ports.ts";
import { onNodesOf } from "../processor-view.ts";
import { OptionsRequest, ReasonRequest, WaitQuery } from "../request.ts";
import { notFound } from "../view.ts";
import { request202 } from "./change.ts";
import {
  answer,
  answerOfLeader,
  param,
  queryOf,
  type Route,
  type RouteContext,
  route,
} from "./context.ts";

const requestEvents = { enable: "RuleEnableRequested", disable: "RuleDisableRequested" } as const;

/** Rule files, and what people decide about them. */
export function ruleRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  const actions = Object.entries(requestEvents).map(([action, type]) =>
    route("POST", `/v1/rules/:rule/${action}`, async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const request = await readJson(c.env.incoming, ReasonRequest, limits.bodyBytesMax);
      const { file } = ruleFileView(ports.graph(), param(c, "rule"));
      return request202(c, context, { type, data: { file, ...request }, ...query });
    }),
  );
  return [
    route("GET", "/v1/rules/:rule", async (c) => {
      return answer(c, context, ruleFileView(ports.graph(), param(c, "rule")));
    }),
    route("PUT", "/v1/rules/:rule", () => {
      throw new HalonError(
        "HAL_NOT_BUILT",
        "Putting one rule file is not built yet. Name it in the cluster file and apply that.",
      );
    }),
    route("POST", "/v1/rules/:rule/options", async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const request = await readJson(c.env.incoming, OptionsRequest, limits.bodyBytesMax);
      const { file } = ruleFileView(ports.graph(), param(c, "rule"));
      const type = "RuleOptionsRequested";
      return request202(c, context, { type, data: { file, ...request }, ...query });
    }),
    ...actions,
  ];
}

/** HAL_NOT_FOUND when there is no such rule file. */
function ruleFileView(graph: GraphView, name: string): RuleFileView {
  const found = graph.get("RuleFile", name);
  if (found === undefined) {
    const known = graph.list("RuleFile").map(({ id }) => id);
    throw notFound("rule file", name, known, "halonctl rule list");
  }
  const { blob, rules, events, quarantined, disabled, options, optionsSchema } = found.attributes;
  const reason = disabled ?? quarantined;
  const { runs } = found.attributes;
  return {
    file: name,
    ...(runs === undefined ? {} : { runs, onNodes: onNodesOf(graph, name) }),
    state: stateOf({ quarantined, disabled }),
    ...(reason === undefined ? {} : { reason }),
    blob,
    rules,
    events: events.map(({ type }) => type),
    ...(options === undefined ? {} : { options }),
    ...(optionsSchema === undefined ? {} : { optionsSchema }),
    invariants: (found.attributes.invariants ?? []).map((each) => invariantView(graph, name, each)),
  };
}

function invariantView(graph: GraphView, file: string, name: string): InvariantView {
  const known = graph.get("Invariant", `${file}/${name}`)?.attributes;
  const { state = "holds", reason } = known ?? {};
  return { invariant: name, state, ...(reason === undefined ? {} : { reason }) };
}

/** A file that a person disabled is not in force, whatever it has done before. */
function stateOf(attributes: {
  readonly quarantined?: string | undefined;
  readonly disabled?: string | undefined;
}): RuleFileView["state"] {
  if (attributes.disabled !== undefined) return "disabled";
  return attributes.quarantined === undefined ? "enabled" : "quarantined";
}
