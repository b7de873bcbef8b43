import {
  type ClusterStatus,
  doubtText,
  type GraphView,
  keyOf,
  type OperationStatus,
  type Resource,
  slotId,
} from "@halon/protocol";

import { alertEntries } from "./alert-entries.ts";

export interface Leadership {
  readonly clusterId: string;
  /** Name of the tracking node; null while its coordinator does not run. */
  readonly leader: string | null;
  readonly epoch: number;
}

type ServiceRow = ClusterStatus["services"][number];
type NodeRow = ClusterStatus["nodes"][number];

/** A service whose name begins so is a part of Halon itself. */
const partPrefix = "halon-";

/** The cluster at a glance, from the graph alone. */
export function clusterStatus(graph: GraphView, leadership: Leadership): ClusterStatus {
  const nodes = graph.list("Node").map(nodeRow);
  const rows = graph.list("ServiceName").flatMap((slot) => serviceRow(graph, slot) ?? []);
  const services = [...rows.filter((row) => !isPart(row)), ...rows.filter(isPart)];
  const breaker = graph.list("Cluster")[0]?.attributes.breaker;
  const reasons = [
    ...(leadership.leader === null ? ["no recovery coordinator can be reached"] : []),
    ...(breaker === undefined
      ? []
      : [
          `${breaker.reason}; nothing is moved off them before they are back, or \`halonctl breaker reset\``,
        ]),
    ...graph.list("Node").flatMap((node) => nodeComplaint(node) ?? []),
    ...services
      .filter((row) => isUnwell(graph, row))
      .map(({ service, node, state }) => `${service} on ${node} is ${state}`),
    ...graph
      .list("Deployment")
      .flatMap(({ id, attributes: { shortfall } }) =>
        shortfall === undefined ? [] : [`${id}: ${shortfall}`],
      ),
    ...noticesOf(graph),
  ];
  return {
    cluster: {
      id: leadership.clusterId,
      leader: leadership.leader,
      epoch: leadership.epoch,
      revision: graph.revision,
      state:
        leadership.leader === null ? "unavailable" : reasons.length === 0 ? "healthy" : "degraded",
      ...(breaker === undefined
        ? {}
        : {
            breaker: {
              since: rfc3339(breaker.since),
              reason: breaker.reason,
              nodes: [...breaker.nodes],
            },
          }),
      ...(reasons.length === 0 ? {} : { reasons }),
    },
    nodes,
    services,
    alerts: [...alertEntries(graph)],
  };
}

function nodeRow({ id, attributes }: Resource<"Node">): NodeRow {
  const { address, role, labels, recovery, modeSince, modeReason } = attributes;
  const state = shownState(attributes);
  const isMode = state !== attributes.state;
  const since = isMode ? (modeSince ?? attributes.since) : attributes.since;
  const reason = isMode ? (modeReason ?? attributes.reason) : attributes.reason;
  return {
    name: id,
    address,
    role,
    state,
    since: rfc3339(since),
    labels,
    ...(reason === undefined ? {} : { reason }),
    ...(recovery === undefined ? {} : { recovery: recoveryText(recovery) }),
  };
}

/** What people have decided about a node that is up is what they want to see of it. */
function shownState({ state, mode }: Resource<"Node">["attributes"]): NodeRow["state"] {
  return state === "up" && (mode === "draining" || mode === "maintenance") ? mode : state;
}

function recoveryText({
  state,
  attempt,
  of,
}: NonNullable<Resource<"Node">["attributes"]["recovery"]>): string {
  return state === "givenUp"
    ? `given up after ${attempt} attempts`
    : `transient, attempt ${attempt} of ${of}`;
}

/** Undefined of a node that is well, is emptied or taken out on purpose, or is looked after by a person. */
function nodeComplaint({ id, attributes }: Resource<"Node">): string | undefined {
  const { state, mode, recovery } = attributes;
  if (state === "up" || mode === "decommissioned") return undefined;
  const attempts = recovery === undefined ? "" : `, ${recoveryText(recovery)}`;
  return `node ${id} is ${state}${mode === "maintenance" ? ", in maintenance" : ""}${attempts}`;
}

function isPart({ service }: ServiceRow): boolean {
  return service.startsWith(partPrefix);
}

const halted = "stopped by a person";

/** One that is stopped because a person or it itself wants that is well. */
function isUnwell(graph: GraphView, row: ServiceRow): boolean {
  const { service, node, state } = row;
  // Of the parts of a node that is not up the node itself is the reason.
  if (isPart(row)) return ["failed", "degraded", "broken"].includes(state) && isUp(graph, node);
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

function isUp(graph: GraphView, node: string): boolean {
  return graph.get("Node", node)?.attributes.state === "up";
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
        : whyNotYet(graph, service, node),
  };
}

/** Why nothing of the service was started on the node on which it is wanted. */
function whyNotYet(graph: GraphView, service: string, node: string): string {
  const state = graph.get("Node", node)?.attributes.state ?? "gone";
  if (state !== "up") return `waits for ${node}, which is ${state}`;
  return graph.get("Deployment", service)?.attributes.shortfall ?? "it is about to start";
}

function instanceRow(
  instance: Resource<"ServiceInstance">,
  slot: Resource<"ServiceName">,
): ServiceRow {
  const { service, type, version, node, incarnation, state, health, osPid, since, doubts } =
    instance.attributes;
  const isHalted = state === "stopped" && slot.attributes.halted === true;
  const { notice } = slot.attributes;
  const doubt = doubts === undefined ? undefined : doubtText(doubts);
  const reason = isHalted ? (notice ?? halted) : (instance.attributes.reason ?? doubt ?? notice);
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
