import { type GraphView, keyOf, type Placement, type Resource, slotId } from "@halon/protocol";
import { isLive } from "./context.ts";
import { modeOf } from "./node-mode.ts";

/** What has to hold for a service on a node, in the order in which it is looked at. */
export type ConditionName =
  | "node"
  | "up"
  | "active"
  | "on"
  | "requires"
  | "with"
  | "apart"
  | "after"
  | "name"
  | "exclusive"
  | "placed";

/** One condition for a deployment on a node, and whether it holds. */
export interface Condition {
  readonly name: ConditionName;
  readonly holds: boolean;
  /** Without it the service is refused there; without another one it waits. */
  readonly isHard: boolean;
  /** Why it holds, or why it does not. */
  readonly detail: string;
}

/** Asks about a deployment on a node; the node need not be known. */
export interface Question {
  readonly graph: GraphView;
  readonly deployment: Resource<"Deployment">;
  readonly node: string;
}

/**
 * Every condition for the deployment on the node: those that every service has, and those that its cluster file
 * states. Decides from the graph alone.
 */
export function conditionsOn(question: Question): readonly Condition[] {
  const { deployment } = question;
  const { with: partners, apart, after, exclusive } = deployment.attributes;
  const known = isKnown(question);
  if (!known.holds) return [known];
  return [
    known,
    isUp(question),
    isActive(question),
    fits(question),
    ...(requiredTypes(question).length === 0 ? [] : [hasRequired(question)]),
    ...(isEmpty(partners) ? [] : [hasPartners(question)]),
    ...(isEmpty(apart) ? [] : [keepsApart(question)]),
    ...(isEmpty(after) ? [] : [comesAfter(question)]),
    hasFreeName(question),
    ...(exclusive === undefined ? [] : [isAlone(question)]),
    isPlaced(question),
  ];
}

/** Whether a place that the deployment has on the node may stay there, whatever state the node is in. */
export function mayStay(question: Question): boolean {
  return [isKnown, fits, hasRequiredPlaces, hasPartners, keepsApart].every(
    (judge) => judge(question).holds,
  );
}

/** Whether the deployment may get a further place on the node. */
export function mayEnter(question: Question): boolean {
  if (!mayStay(question) || !isActive(question).holds) return false;
  // It waits there for a node that is down, or only suspected: it is wanted on every one.
  return question.deployment.attributes.on === "every-node" || isUp(question).holds;
}

/**
 * Why the slot is not started now although it is wanted, or undefined when nothing keeps it.
 *
 * Asked before each start; what it waits for may end later without ending this one.
 */
export function waitsFor(context: { readonly graph: GraphView }, slot: string): string | undefined {
  const { graph } = context;
  const place = graph.get("ServiceName", slot)?.attributes;
  const deployment = place === undefined ? undefined : graph.get("Deployment", place.service);
  if (place === undefined || deployment === undefined) return undefined;
  const question = { graph, deployment, node: place.node };
  const failing = [hasRequired(question), comesAfter(question)].find(({ holds }) => !holds);
  return failing?.detail;
}

/** Whether a start of the deployment may have to wait for another service, or for its own end elsewhere. */
export function hasToWait(graph: GraphView, deployment: Resource<"Deployment">): boolean {
  return (
    deployment.attributes.exclusive !== undefined ||
    !isEmpty(deployment.attributes.after) ||
    !isEmpty(graph.get("Service", deployment.attributes.type)?.attributes.requires)
  );
}

function verdict(
  name: ConditionName,
  complaint: string | undefined,
  praise: string,
  isHard = true,
): Condition {
  return { name, holds: complaint === undefined, isHard, detail: complaint ?? praise };
}

function isKnown({ graph, node }: Question): Condition {
  if (graph.get("Node", node) !== undefined) return verdict("node", undefined, `${node} is known`);
  const known = graph.list("Node").map(({ id }) => id);
  const shown = known.length > 5 ? [...known.slice(0, 5), "…"] : known;
  return verdict("node", `there is no node ${node}, there are ${shown.join(", ") || "none"}`, "");
}

function isUp({ graph, node }: Question): Condition {
  const known = graph.get("Node", node)?.attributes;
  if (known?.state === "up") return verdict("up", undefined, `${node} is up`);
  const why = known?.reason === undefined ? "" : `: ${known.reason}`;
  return verdict("up", `${node} is ${known?.state ?? "gone"}${why}`, "");
}

function isActive({ graph, node }: Question): Condition {
  const known = graph.get("Node", node);
  const mode = known === undefined ? "decommissioned" : modeOf(known);
  const words = {
    draining: "is draining",
    maintenance: "is in maintenance",
    decommissioned: "is decommissioned",
  };
  const complaint = mode === "active" ? undefined : `${node} ${words[mode]} and takes nothing new`;
  return verdict("active", complaint, `${node} takes services`);
}

function fits({ graph, deployment, node }: Question): Condition {
  const { on } = deployment.attributes;
  const labels = graph.get("Node", node)?.attributes.labels ?? {};
  return verdict("on", misfit(on, node, labels), `${node} is among those wanted`);
}

function misfit(
  on: Placement,
  node: string,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  if (on === "every-node" || on === "any-node") return undefined;
  if ("node" in on) return on.node === node ? undefined : `it is wanted on ${on.node} only`;
  if (hasLabel(labels, on.label)) return undefined;
  const key = on.label.slice(0, on.label.indexOf("="));
  const has = Object.hasOwn(labels, key) ? `${key}=${labels[key]}` : `no label ${key}`;
  return `it is wanted on nodes with ${on.label}, and ${node} has ${has}`;
}

/** Whether `key=value` is among the labels. */
export function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf("=");
  const key = label.slice(0, equals);
  return equals > 0 && Object.hasOwn(labels, key) && labels[key] === label.slice(equals + 1);
}

function requiredTypes({ graph, deployment }: Question): readonly string[] {
  return graph.get("Service", deployment.attributes.type)?.attributes.requires ?? [];
}

function slotsOfType({ graph, node }: Question, type: string): readonly Resource<"ServiceName">[] {
  return graph
    .in(keyOf("Service", type), "wants", "ServiceName")
    .filter((slot) => slot.attributes.node === node);
}

function hasRequiredPlaces(question: Question): Condition {
  const { deployment, node } = question;
  const missing = requiredTypes(question).find((type) => slotsOfType(question, type).length === 0);
  const complaint =
    missing === undefined
      ? undefined
      : `type ${deployment.attributes.type} requires ${missing}, which is not wanted on ${node}`;
  return verdict("requires", complaint, "");
}

/** What it requires has to have a place on the node, and to run before it starts. */
function hasRequired(question: Question): Condition {
  const places = hasRequiredPlaces(question);
  if (!places.holds) return places;
  const { graph, node } = question;
  const types = requiredTypes(question);
  const idle = types.find(
    (type) => !slotsOfType(question, type).some((slot) => runs(graph, slot.id)),
  );
  const complaint =
    idle === undefined ? undefined : `waits for ${idle}, which does not run on ${node} yet`;
  return verdict("requires", complaint, `${types.join(", ")} runs on ${node}`, false);
}

function hasPartners({ graph, deployment, node }: Question): Condition {
  const names = deployment.attributes.with ?? [];
  const missing = names.find((name) => !isWantedOn(graph, name, node));
  const complaint =
    missing === undefined ? undefined : `it goes with ${missing}, which is not wanted on ${node}`;
  return verdict("with", complaint, `${names.join(", ")} is wanted on ${node} too`);
}

function keepsApart({ graph, deployment, node }: Question): Condition {
  const names = deployment.attributes.apart ?? [];
  const there = names.find((name) => isWantedOn(graph, name, node));
  const complaint =
    there === undefined ? undefined : `it stays apart from ${there}, which is wanted on ${node}`;
  return verdict("apart", complaint, `${names.join(", ")} is not wanted on ${node}`);
}

function comesAfter({ graph, deployment, node }: Question): Condition {
  const names = deployment.attributes.after ?? [];
  const complaint = names
    .map((name) => stillAwaited(graph, name, node))
    .find((each) => each !== undefined);
  return verdict("after", complaint, `${names.join(", ")} runs`, false);
}

/** Why a service that waits for `name` does not start on the node yet. */
function stillAwaited(graph: GraphView, name: string, node: string): string | undefined {
  const slots = graph.out(keyOf("Deployment", name), "places", "ServiceName");
  const here = slots.filter((slot) => slot.attributes.node === node);
  const asked = here.length > 0 ? here : slots;
  if (asked.some((slot) => runs(graph, slot.id))) return undefined;
  const [slot] = asked;
  if (slot === undefined) return `waits for ${name}, which has no place`;
  if (slot.attributes.halted === true) return `waits for ${name}, which a person stopped`;
  if (slot.attributes.broken !== undefined) return `waits for ${name}, which is broken`;
  const state = instanceIn(graph, slot.id)?.attributes.state ?? "not started";
  return `waits for ${name}, which is ${state} on ${slot.attributes.node}`;
}

/**
 * Whether no other service has the name on the node.
 *
 * Placement looks for such a node first. Where there is none, the node itself refuses and names the holder.
 */
function hasFreeName({ graph, deployment, node }: Question): Condition {
  const name = serviceNameOf(graph, deployment);
  const sharers = graph
    .list("Deployment")
    .filter((other) => other.id !== deployment.id && serviceNameOf(graph, other) === name)
    .map(({ id }) => id);
  const holder = sharers.find((other) => isThere(graph, other, node));
  const complaint =
    holder === undefined ? undefined : `${holder} has the service name ${name} on ${node}`;
  return verdict("name", complaint, `the service name ${name} is free on ${node}`);
}

/** Whether the service has a place on the node, or something of it still runs there. */
export function isThere(graph: GraphView, service: string, node: string): boolean {
  if (isWantedOn(graph, service, node)) return true;
  const instance = instanceIn(graph, slotId(service, node));
  return instance !== undefined && isLive(instance.attributes.state);
}

/** The name that excludes others on a node: that of the type when it declares one, else the deployment's own. */
export function serviceNameOf(graph: GraphView, deployment: Resource<"Deployment">): string {
  const { type } = deployment.attributes;
  const declared = graph.get("Service", type)?.attributes.serviceName ?? type;
  return declared === type ? deployment.id : declared;
}

function isAlone({ graph, deployment, node }: Question): Condition {
  const elsewhere = graph
    .list("ServiceInstance", { service: deployment.id })
    .find(
      ({ attributes }) =>
        attributes.node !== node && (isLive(attributes.state) || attributes.state === "unknown"),
    );
  const complaint =
    elsewhere === undefined
      ? undefined
      : `waits for the end of ${elsewhere.id}, which is ${elsewhere.attributes.state}`;
  return verdict("exclusive", complaint, "it runs nowhere else", false);
}

function isPlaced({ graph, deployment, node }: Question): Condition {
  const slot = graph.get("ServiceName", slotId(deployment.id, node));
  if (slot !== undefined && isWantedOn(graph, deployment.id, node)) {
    const { halted, broken } = slot.attributes;
    if (halted === true)
      return verdict("placed", undefined, "a person stopped it; a start ends that");
    if (broken !== undefined)
      return verdict("placed", undefined, `broken: ${broken}; a start ends that`);
    return verdict("placed", undefined, `it is wanted on ${node}`);
  }
  const places = graph
    .out(keyOf("Deployment", deployment.id), "places", "ServiceName")
    .map(({ attributes }) => attributes.node);
  const where = places.length === 0 ? "nowhere" : `on ${places.join(", ")}`;
  return verdict("placed", `it is wanted ${where}, and nothing moves without need`, "");
}

/** Whether the deployment has a place on the node. */
export function isWantedOn(graph: GraphView, service: string, node: string): boolean {
  const slot = keyOf("ServiceName", slotId(service, node));
  return graph.related(keyOf("Deployment", service), "places", slot);
}

/** Whether what the slot holds runs, well or not. */
export function runs(graph: GraphView, slot: string): boolean {
  const state = instanceIn(graph, slot)?.attributes.state;
  return state === "running" || state === "degraded";
}

function instanceIn(graph: GraphView, slot: string): Resource<"ServiceInstance"> | undefined {
  return graph.in(keyOf("ServiceName", slot), "holds", "ServiceInstance")[0];
}

function isEmpty(names: readonly string[] | undefined): boolean {
  return names === undefined || names.length === 0;
}
