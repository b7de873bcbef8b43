import {
  type ClusterStatus,
  type GraphView,
  keyOf,
  type OperationStatus,
  type Resource,
  slotId,
} from "@halon/protocol";

export interface Leadership {
  readonly clusterId: string;
  /** Name of the tracking node; null while its coordinator does not run. */
  readonly leader: string | null;
  readonly epoch: number;
}

type ServiceRow = ClusterStatus["services"][number];

/** The cluster at a glance, from the graph alone. */
export function clusterStatus(graph: GraphView, leadership: Leadership): ClusterStatus {
  const nodes = graph.list("Node").map(({ id, attributes }) => ({
    name: id,
    address: attributes.address,
    role: attributes.role,
    state: attributes.state,
    since: rfc3339(attributes.since),
    labels: attributes.labels,
    ...(attributes.reason === undefined ? {} : { reason: attributes.reason }),
  }));
  const services = graph.list("ServiceName").flatMap((slot) => serviceRow(graph, slot) ?? []);
  const reasons = [
    ...(leadership.leader === null ? ["no recovery coordinator can be reached"] : []),
    ...nodes
      .filter(({ state }) => state !== "up")
      .map(({ name, state }) => `node ${name} is ${state}`),
    ...services
      .filter((row) => isUnwell(graph, row))
      .map(({ service, node, state }) => `${service} on ${node} is ${state}`),
    ...noticesOf(graph),
    ...graph
      .list("Deployment")
      .flatMap(({ id, attributes: { shortfall } }) =>
        shortfall === undefined ? [] : [`${id}: ${shortfall}`],
      ),
  ];
  return {
    cluster: {
      id: leadership.clusterId,
      leader: leadership.leader,
      epoch: leadership.epoch,
      revision: graph.revision,
      state:
        leadership.leader === null ? "unavailable" : reasons.length === 0 ? "healthy" : "degraded",
      ...(reasons.length === 0 ? {} : { reasons }),
    },
    nodes,
    services,
  };
}

const halted = "stopped by a person";

/** One that is stopped because a person or it itself wants that is well. */
function isUnwell(graph: GraphView, { service, node, state }: ServiceRow): boolean {
  const isHalted = graph.get("ServiceName", slotId(service, node))?.attributes.halted === true;
  return state !== "running" && !(state === "stopped" && isHalted);
}

/** What people should know of services that run. */
function noticesOf(graph: GraphView): string[] {
  return graph.list("ServiceName").flatMap(({ attributes }) => {
    const { service, node, notice, halted } = attributes;
    return notice === undefined || halted === true ? [] : [`${service} on ${node}: ${notice}`];
  });
}

function serviceRow(graph: GraphView, slot: Resource<"ServiceName">): ServiceRow | undefined {
  const key = keyOf("ServiceName", slot.id);
  const wanted = graph.out(key, "wants", "Service")[0];
  const instance = graph.in(key, "holds", "ServiceInstance")[0];
  const { service, node, incarnation, restarts } = slot.attributes;
  if (instance !== undefined) return instanceRow(instance, slot);
  if (wanted === undefined) return undefined;
  return {
    service,
    type: wanted.id,
    version: wanted.attributes.version,
    node,
    instance: "",
    incarnation,
    state: "stopped",
    health: "unknown",
    restarts,
    since: rfc3339(0),
    reason:
      slot.attributes.halted === true
        ? (slot.attributes.notice ?? halted)
        : `waits for ${node}, which is ${graph.get("Node", node)?.attributes.state ?? "gone"}`,
  };
}

function instanceRow(
  instance: Resource<"ServiceInstance">,
  slot: Resource<"ServiceName">,
): ServiceRow {
  const { service, type, version, node, incarnation, state, health, osPid, since } =
    instance.attributes;
  const isHalted = state === "stopped" && slot.attributes.halted === true;
  const { notice } = slot.attributes;
  const reason = isHalted ? (notice ?? halted) : (instance.attributes.reason ?? notice);
  return {
    service,
    type,
    version,
    node,
    instance: instance.id,
    incarnation,
    state,
    health,
    ...(osPid === undefined ? {} : { osPid }),
    restarts: slot.attributes.restarts,
    since: rfc3339(since),
    ...(reason === undefined ? {} : { reason }),
  };
}

export function operationStatus(operation: Resource<"Operation">): OperationStatus {
  const { action, target, state, reason, waiting, answers, since } = operation.attributes;
  return {
    operation: operation.id,
    action,
    target,
    state,
    ...(reason === undefined ? {} : { reason }),
    waiting: [...waiting],
    ...(answers === undefined ? {} : { answers }),
    since: rfc3339(since),
  };
}

function rfc3339(wallTime: number): string {
  return new Date(wallTime).toISOString();
}
