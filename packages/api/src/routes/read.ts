import { HalonError, type ResourceKey, splitKey } from "@halon/protocol";
import { GraphQuery, ReadQuery } from "../request.ts";
import {
  nodeView,
  notFound,
  operationViews,
  resourceView,
  serviceView,
  typeView,
} from "../view.ts";
import {
  answer,
  answerOfLeader,
  type Ctx,
  param,
  queryOf,
  type Route,
  type RouteContext,
  route,
  stamp,
} from "./context.ts";

const contentTypes = {
  json: "application/json",
  dot: "text/vnd.graphviz; charset=utf-8",
  graphml: "application/graphml+xml; charset=utf-8",
} as const;

/** Reads: answered by any node from its replica, or by the tracking node with `?consistent=true`. */
export function readRoutes(context: RouteContext): readonly Route[] {
  const { ports } = context;
  const read = (path: string, view: (c: Ctx) => unknown) =>
    route("GET", path, async (c) => {
      const { consistent } = queryOf(c, ReadQuery);
      const elsewhere = consistent === true ? await answerOfLeader(c, ports) : null;
      return elsewhere ?? answer(c, context, view(c));
    });
  return [
    read("/v1/status", () => ports.status()),
    read("/v1/nodes", () => ports.status().nodes),
    read("/v1/nodes/:name", (c) => nodeView(ports.graph(), ports.status(), param(c, "name"))),
    read("/v1/services", () => ports.status().services),
    read("/v1/services/:service", (c) =>
      serviceView(ports.graph(), ports.status(), param(c, "service")),
    ),
    read("/v1/instances", () =>
      ports
        .graph()
        .list("ServiceInstance")
        .map(({ id, attributes }) => ({ instance: id, ...attributes })),
    ),
    read("/v1/instances/:instance", (c) =>
      resourceView(ports.graph(), "ServiceInstance", param(c, "instance")),
    ),
    read("/v1/types", () =>
      ports
        .graph()
        .list("Service")
        .map(({ id, attributes }) => ({ type: id, ...attributes })),
    ),
    read("/v1/types/:type", (c) => typeView(ports.graph(), param(c, "type"))),
    read("/v1/operations", () => operationViews(ports.graph())),
    read("/v1/operations/:operation", (c) => {
      const id = param(c, "operation");
      const operation = ports.operation(id);
      if (operation !== undefined) return operation;
      const known = operationViews(ports.graph()).map((view) => view.operation);
      throw notFound("operation", id, known, "halonctl event list");
    }),
    read("/v1/alerts", () => ports.status().alerts),
    read("/v1/rules", () => ports.rules()),
    route("GET", "/v1/graph", (c) => graph(c, context)),
  ];
}

async function graph(c: Ctx, context: RouteContext): Promise<Response> {
  const { ports } = context;
  const { query, resource, format, at, consistent } = queryOf(c, GraphQuery);
  if (at !== undefined) {
    throw new HalonError("HAL_NOT_BUILT", "The graph at an earlier revision is not built yet.");
  }
  const elsewhere = consistent === true ? await answerOfLeader(c, ports) : null;
  if (elsewhere !== null) return elsewhere;
  if (resource !== undefined) {
    const { kind, id } = splitKey(resource as ResourceKey);
    return answer(c, context, resourceView(ports.graph(), kind, id));
  }
  if (query !== undefined) {
    if (format !== "json") {
      throw new HalonError(
        "HAL_BAD_REQUEST",
        `A query answers as json only, got format=${format}. Leave out one of the two.`,
      );
    }
    return answer(c, context, ports.queryGraph(query));
  }
  stamp(c, ports);
  return c.body(ports.exportGraph(format), 200, { "Content-Type": contentTypes[format] });
}
