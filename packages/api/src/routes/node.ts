import { readJson } from "../body.ts";
import { MaintenanceRequest, ReasonRequest, WaitQuery } from "../request.ts";
import { requireNode } from "../view.ts";
import { request202 } from "./change.ts";
import { answerOfLeader, param, queryOf, type Route, type RouteContext, route } from "./context.ts";

const requestEvents = {
  drain: "NodeDrainRequested",
  resume: "NodeResumeRequested",
  maintenance: "NodeMaintenanceRequested",
  remove: "NodeRemoveRequested",
} as const;

/** What people decide about nodes and the breaker: each is an event, and is answered with its operation. */
export function nodeRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  const actions = Object.entries(requestEvents).map(([action, type]) =>
    route("POST", `/v1/nodes/:node/${action}`, async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const body = action === "maintenance" ? MaintenanceRequest : ReasonRequest;
      const request = await readJson(c.env.incoming, body, limits.bodyBytesMax);
      const node = param(c, "node");
      requireNode(ports.graph(), node);
      return request202(c, context, { type, data: { node, ...request }, ...query });
    }),
  );
  return [
    ...actions,
    route("POST", "/v1/breaker/reset", async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const data = await readJson(c.env.incoming, ReasonRequest, limits.bodyBytesMax);
      return request202(c, context, { type: "BreakerResetRequested", data, ...query });
    }),
  ];
}
