import type { ClusterStatus, GraphView, Json, OperationStatus, Resource } from "@halon/protocol";
import { compareText, HalonError, keyOf } from "@halon/protocol";

/** A service with all that the graph holds of it. */
export interface ServiceView {
  readonly service: string;
  readonly deployment: Resource<"Deployment">["attributes"] | null;
  readonly slots: readonly Resource<"ServiceName">["attributes"][];
  /** The configuration wanted, of the first slot that wants one. */
  readonly config: { readonly [key: string]: Json } | null;
  readonly instances: ClusterStatus["services"];
}

/** A resource with its relations. */
export interface ResourceView {
  readonly kind: string;
  readonly id: string;
  readonly attributes: Resource["attributes"];
  readonly relations: ReturnType<GraphView["relations"]>;
}

/** A node with all that is known of it. */
export type NodeView = ClusterStatus["nodes"][number] & {
  readonly incarnation: number;
  readonly version: string;
  readonly mode: NonNullable<Resource<"Node">["attributes"]["mode"]>;
  /** What its state rests on, a sentence each. */
  readonly evidence: readonly string[];
  /** Nodes whose supervisors watch that of this one, and those whose supervisors it watches. */
  readonly watchedBy: readonly string[];
  readonly watches: readonly string[];
  /** Instances of other nodes that its supervisor watches; an earlier version does not tell. */
  readonly watchesInstances?: readonly string[];
  readonly services: ClusterStatus["services"];
};

export function nodeView(graph: GraphView, status: ClusterStatus, name: string): NodeView {
  const attributes = graph.get("Node", name)?.attributes;
  const row = status.nodes.find((candidate) => candidate.name === name);
  if (attributes === undefined || row === undefined) throw unknownNode(graph, name);
  const { incarnation, version, mode = "active", evidence = [] } = attributes;
  const supervisor = keyOf("Supervisor", name);
  return {
    ...row,
    incarnation,
    version,
    mode,
    evidence,
    watchedBy: graph.in(supervisor, "monitors", "Supervisor").map(({ id }) => id),
    watches: graph.out(supervisor, "monitors", "Supervisor").map(({ id }) => id),
    watchesInstances: graph
      .out(supervisor, "monitors", "ServiceInstance")
      .filter((instance) => instance.attributes.node !== name)
      .map(({ id }) => id),
    services: status.services.filter((service) => service.node === name),
  };
}

export function serviceView(graph: GraphView, status: ClusterStatus, name: string): ServiceView {
  const deployment = graph.get("Deployment", name);
  const slots = graph.list("ServiceName", { service: name });
  const instances = status.services.filter((instance) => instance.service === name);
  if (deployment === undefined && slots.length === 0 && instances.length === 0) {
    throw notFound("service", name, serviceNames(graph), "halonctl service list");
  }
  const [config] = wantedConfigurations(graph, name);
  return {
    service: name,
    deployment: deployment?.attributes ?? null,
    slots: slots.map((slot) => slot.attributes),
    config: config?.attributes.value ?? null,
    instances,
  };
}

/**
 * The configurations that the places of a service want.
 *
 * A slot that is a place no more keeps the one that it had last; it counts when the service has no place at all.
 */
export function wantedConfigurations(
  graph: GraphView,
  service: string,
): readonly Resource<"Configuration">[] {
  const slots = graph.list("ServiceName", { service });
  const places = slots.filter(
    (slot) => graph.out(keyOf("ServiceName", slot.id), "wants", "Service").length > 0,
  );
  return (places.length > 0 ? places : slots).flatMap((slot) =>
    graph.out(keyOf("ServiceName", slot.id), "wants", "Configuration"),
  );
}

export function typeView(graph: GraphView, name: string) {
  const type = graph.get("Service", name);
  if (type === undefined) {
    const known = graph.list("Service").map((resource) => resource.id);
    throw notFound("service type", name, known, "halonctl service types");
  }
  const [schema] = graph.out(keyOf("Service", name), "accepts", "Schema");
  return { type: name, ...type.attributes, configurationSchema: schema?.attributes.schema ?? null };
}

export function resourceView(graph: GraphView, kind: string, id: string): ResourceView {
  const resource = graph.get(kind, id);
  if (resource === undefined) {
    const known = graph.list(kind).map((candidate) => candidate.id);
    throw notFound(kind, id, known, `halonctl graph query ${kind}`);
  }
  return {
    kind,
    id,
    attributes: resource.attributes,
    relations: graph.relations(keyOf(kind, id)),
  };
}

/** Operations as the graph has them, the newest first. */
export function operationViews(graph: GraphView): readonly OperationStatus[] {
  const operations = graph.list("Operation");
  return [...operations]
    .sort((a, b) => b.attributes.order - a.attributes.order || compareText(a.id, b.id))
    .map(({ id, attributes: { order: _, since, ...rest } }) => ({
      operation: id,
      ...rest,
      since: new Date(since).toISOString(),
    }));
}

/** Throws when the graph knows no such service, or no such node. */
export function requireTarget(graph: GraphView, service: string, on: string | undefined): void {
  if (!serviceNames(graph).includes(service)) {
    throw notFound("service", service, serviceNames(graph), "halonctl service list");
  }
  if (on !== undefined) requireNode(graph, on);
}

/** Throws when the graph knows no such node. */
export function requireNode(graph: GraphView, name: string): void {
  if (graph.get("Node", name) === undefined) throw unknownNode(graph, name);
}

function unknownNode(graph: GraphView, name: string): HalonError {
  const known = graph.list("Node").map((node) => node.id);
  return notFound("node", name, known, "halonctl node list");
}

export function notFound(
  what: string,
  name: string,
  known: readonly string[],
  remedy: string,
): HalonError {
  const shown = known.length > 5 ? [...known.slice(0, 5), "…"] : known;
  const which = shown.length === 0 ? "there are none" : `there are ${shown.join(", ")}`;
  return new HalonError(
    "HAL_NOT_FOUND",
    `There is no ${what} ${JSON.stringify(name.slice(0, 100))}: ${which}. See \`${remedy}\`.`,
  );
}

function serviceNames(graph: GraphView): readonly string[] {
  const deployed = graph.list("Deployment").map((deployment) => deployment.id);
  const slotted = graph.list("ServiceName").map((slot) => slot.attributes.service);
  // What was deployed is more likely meant than a part of Halon, which is slotted only.
  return [...new Set([...deployed.sort(compareText), ...slotted.sort(compareText)])];
}
