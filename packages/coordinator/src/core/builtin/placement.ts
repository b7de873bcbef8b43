import { events, keyOf, type Resource, slotId } from "@halon/protocol";
import { alertKeys } from "./alert-rules.ts";
import { type Candidate, choose } from "./choice.ts";
import { hasToWait, isThere, isWantedOn, mayEnter, mayStay, serviceNameOf } from "./conditions.ts";
import type { Context } from "./context.ts";
import { isBoundTo } from "./exclusive.ts";
import { endMove, isMovedOff, type Move, moveOf } from "./moving.ts";
import { isLeaving, keepsPlaces, lingers, modeOf } from "./node-mode.ts";
import { giveNewTries, hasFailed } from "./restart.ts";
import { reconcileSlot } from "./slot.ts";
import { endTrial } from "./trial.ts";
import { tellShortfall } from "./waiting.ts";
import { forgetConfiguration } from "./wanted.ts";

/** Rounds of placement: more than a chain of services that go with or apart from one another needs. */
const roundsMax = 8;

/** What is the same for all deployments while they are placed. */
interface Survey {
  /** Deployments with a place on the node. */
  readonly loads: Map<string, number>;
  /** Deployments that have the service name. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Deployments that stay apart from the one. */
  readonly avoiders: ReadonlyMap<string, readonly string[]>;
}

/**
 * Brings the places of every deployment up to date, reconciles the slots that changed, and those that wait for what
 * may run by now.
 */
export function placeAll(context: Context): void {
  const survey = takeSurvey(context);
  const order = inOrder(context);
  const depend = order.some(
    ({ attributes }) => attributes.with !== undefined || attributes.apart !== undefined,
  );
  for (let round = 1; round <= roundsMax; round += 1) {
    let hasChanged = false;
    for (const { id } of order) hasChanged = placeIn(context, survey, id) || hasChanged;
    const isRequired = order.some((deployment) => hasToWait(context.graph, deployment));
    if (!hasChanged || (!depend && !isRequired)) break;
  }
  for (const deployment of context.graph.list("Deployment")) {
    if (hasToWait(context.graph, deployment)) reconcilePlaces(context, deployment);
  }
}

/** Brings the places of one deployment up to date; others that depend on it are looked at by `placeAll`. */
export function place(context: Context, deployment: Resource<"Deployment">): void {
  placeIn(context, takeSurvey(context), deployment.id);
}

/** A service runs that did not before: starts what waited for it, and ends the place that it replaces. */
export function reconcileWaiting(context: Context, service: string): void {
  const { graph } = context;
  const type = graph.get("Deployment", service)?.attributes.type ?? service;
  const dependents = new Set(
    graph
      .list("Service")
      .flatMap((each) => (each.attributes.requires?.includes(type) ? each.id : [])),
  );
  for (const deployment of graph.list("Deployment")) {
    const { after, type: own } = deployment.attributes;
    const waits = dependents.has(own) || after?.includes(service) === true;
    if (waits) reconcilePlaces(context, deployment);
  }
  const replaced = graph
    .out(keyOf("Deployment", service), "places", "ServiceName")
    .map((slot) => graph.get("Node", slot.attributes.node))
    .some((node) => node !== undefined && modeOf(node) === "draining");
  if (replaced || moveOf(context, service) !== undefined) placeAll(context);
}

function reconcilePlaces(context: Context, deployment: Resource<"Deployment">): void {
  const slots = context.graph.out(keyOf("Deployment", deployment.id), "places", "ServiceName");
  for (const slot of slots) reconcileSlot(context, slot.id);
  tellShortfall(context, deployment.id);
}

/** Deployments by name, each behind those that its own places depend on. */
function inOrder({ graph }: Context): readonly Resource<"Deployment">[] {
  const all = new Map(graph.list("Deployment").map((deployment) => [deployment.id, deployment]));
  const ofType = new Map<string, string[]>();
  for (const { id, attributes } of all.values()) {
    ofType.set(attributes.type, [...(ofType.get(attributes.type) ?? []), id]);
  }
  const dependencies = ({ attributes }: Resource<"Deployment">): readonly string[] => {
    const { with: partners = [], apart = [], type } = attributes;
    const requires = graph.get("Service", type)?.attributes.requires ?? [];
    return [...partners, ...apart, ...requires.flatMap((other) => ofType.get(other) ?? [])];
  };
  const ordered: Resource<"Deployment">[] = [];
  const seen = new Set<string>();
  for (const first of all.values()) {
    // A path of its own, because a chain may be longer than the stack is deep.
    const path = seen.has(first.id) ? [] : [first];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      seen.add(top.id);
      const next = all.get(
        dependencies(top).find((name) => all.has(name) && !seen.has(name)) ?? "",
      );
      if (next !== undefined) {
        path.push(next);
      } else {
        ordered.push(top);
        path.pop();
      }
    }
  }
  return ordered;
}

function takeSurvey({ graph }: Context): Survey {
  const loads = new Map<string, number>();
  const names = new Map<string, string[]>();
  const avoiders = new Map<string, string[]>();
  const add = (to: Map<string, string[]>, key: string, id: string): void => {
    const list = to.get(key);
    if (list === undefined) to.set(key, [id]);
    else list.push(id);
  };
  for (const deployment of graph.list("Deployment")) {
    const { id } = deployment;
    add(names, serviceNameOf(graph, deployment), id);
    for (const other of deployment.attributes.apart ?? []) add(avoiders, other, id);
    for (const { attributes } of graph.out(keyOf("Deployment", id), "places", "ServiceName")) {
      loads.set(attributes.node, (loads.get(attributes.node) ?? 0) + 1);
    }
  }
  return { loads, names, avoiders };
}

/** Gives the deployment its places; whether they are other ones than before. */
function placeIn(context: Context, survey: Survey, service: string): boolean {
  const { graph } = context;
  const deployment = graph.get("Deployment", service);
  if (deployment === undefined) return false;
  // Giving the place up ends the move.
  const move = moveOf(context, service);
  const slots = graph.out(keyOf("Deployment", service), "places", "ServiceName");
  const current = slots.map((slot) => slot.attributes.node);
  const candidates = graph.list("Node").map((node) => candidate(context, survey, deployment, node));
  const chosen = choose(deployment.attributes, candidates);
  const replaced = slots.filter((slot) => !chosen.includes(slot.attributes.node));
  const given = replaced.filter((slot) => !lingers(context, deployment, slot, chosen));
  const added = chosen.filter((node) => !current.includes(node));
  for (const slot of given) unplace(context, service, slot.id);
  added.forEach((node, position) => {
    // A person stopped the service, not the node that it was on.
    const halted = replaced[position]?.attributes.halted === true;
    want(context, service, { type: deployment.attributes.type, node, halted });
  });
  for (const { attributes } of given)
    survey.loads.set(attributes.node, loadOf(survey, attributes.node) - 1);
  for (const node of added) survey.loads.set(node, loadOf(survey, node) + 1);
  replaced.forEach((slot, position) => {
    const to = added[position];
    if (to !== undefined) tellMove(context, service, { from: slot.attributes.node, to, move });
  });
  tellShortfall(context, service);
  return given.length + added.length > 0;
}

function loadOf(survey: Survey, node: string): number {
  return survey.loads.get(node) ?? 0;
}

function tellMove(
  context: Context,
  service: string,
  {
    from,
    to,
    move,
  }: { readonly from: string; readonly to: string; readonly move: Move | undefined },
): void {
  const node = context.graph.get("Node", from);
  const { state = "gone" } = node?.attributes ?? {};
  const mode = node === undefined ? "active" : modeOf(node);
  const reason =
    move?.from === from
      ? move.reason
      : state === "up" && mode === "active"
        ? `a condition does not hold on ${from} any more`
        : `${from} is ${state === "up" ? mode : state}`;
  context.publish(events.ServiceMoved, { service, from, to, reason });
  context.why(`moves ${service} from ${from} to ${to}: ${reason}`);
}

/** The node as a place for the deployment. */
function candidate(
  context: Context,
  survey: Survey,
  deployment: Resource<"Deployment">,
  node: Resource<"Node">,
): Candidate {
  const { graph } = context;
  const { id } = deployment;
  const question = { graph, deployment, node: node.id };
  const isHeld = isWantedOn(graph, id, node.id);
  const { to = node.id } = moveOf(context, id) ?? {};
  const namesakes = survey.names.get(serviceNameOf(graph, deployment)) ?? [];
  return {
    name: node.id,
    labels: node.attributes.labels,
    load: loadOf(survey, node.id),
    isDown: node.attributes.state === "down",
    takes: !isHeld && to === node.id && mayEnter(question),
    disturbs:
      !isHeld &&
      (namesakes.some((other) => other !== id && isThere(graph, other, node.id)) ||
        (survey.avoiders.get(id) ?? []).some((other) => isWantedOn(graph, other, node.id))),
    held: isHeld ? (mayStay(question) ? fateOf(context, deployment, node) : "ends") : undefined,
  };
}

/** What becomes of a place whose conditions hold, for the sake of its node. */
function fateOf(
  context: Context,
  deployment: Resource<"Deployment">,
  node: Resource<"Node">,
): "stays" | "lost" | "ends" {
  if (keepsPlaces(context, node)) return "stays";
  if (isLeaving(node) || isMovedOff(context, deployment.id, node.id)) return "ends";
  // A suspected node is not given up yet.
  if (node.attributes.state !== "down" || deployment.attributes.onNodeLoss === "wait")
    return "stays";
  return isBoundTo(context.graph, deployment.id, node.id) ? "stays" : "lost";
}

/** The service is wanted there no longer; what runs there is stopped once the node can be reached. */
export function unplace(context: Context, deployment: string, slot: string): void {
  const key = keyOf("ServiceName", slot);
  const { node = "" } = context.graph.get("ServiceName", slot)?.attributes ?? {};
  endMove(context, deployment, node);
  context.update.unrelate(keyOf("Deployment", deployment), "places", key);
  for (const service of context.graph.out(key, "wants", "Service")) {
    context.update.unrelate(key, "wants", keyOf("Service", service.id));
  }
  reconcileSlot(context, slot);
}

function want(
  context: Context,
  service: string,
  place: { readonly type: string; readonly node: string; readonly halted: boolean },
): void {
  const { graph, update } = context;
  const { type, node, halted } = place;
  const id = slotId(service, node);
  const key = keyOf("ServiceName", id);
  const known = graph.get("ServiceName", id);
  if (known === undefined) {
    update.put("ServiceName", id, { service, node, incarnation: 0, restarts: 0 });
    update.relate(keyOf("Node", node), "provides", key);
  } else if (known.attributes.broken !== undefined) {
    // Of a node that was down when the place ended, the slot still has what it broke by.
    giveNewTries(context, id);
  }
  if (halted) update.patch("ServiceName", id, { halted });
  update.relate(keyOf("Deployment", service), "places", key);
  wantType(context, id, type);
  wantConfiguration(context, id, String(context.memory.get(`configuration/${service}`)));
  reconcileSlot(context, id);
}

/** The slot wants this type and no other. */
export function wantType(context: Context, slot: string, type: string): void {
  const key = keyOf("ServiceName", slot);
  for (const other of context.graph.out(key, "wants", "Service")) {
    if (other.id !== type) context.update.unrelate(key, "wants", keyOf("Service", other.id));
  }
  context.update.relate(key, "wants", keyOf("Service", type));
}

/** A person wants this configuration in the slot; where it is another one, what has failed gets new tries. */
export function askForConfiguration(context: Context, slot: string, configuration: string): void {
  const wanted = context.graph.out(keyOf("ServiceName", slot), "wants", "Configuration")[0];
  const { notice, halted } = context.graph.get("ServiceName", slot)?.attributes ?? {};
  const isOther = wanted !== undefined && wanted.id !== configuration;
  if (isOther && hasFailed(context, slot)) giveNewTries(context, slot);
  if (isOther && notice !== undefined && halted !== true) forgetNotice(context, slot);
  wantConfiguration(context, slot, configuration);
}

/** Whoever asks for a configuration knows of the one that was taken back. */
export function forgetNotice(context: Context, slot: string): void {
  context.update.patch("ServiceName", slot, { notice: undefined });
  const reason = "a person has asked for a configuration";
  context.alert.clear(alertKeys.configurationReverted(slot), reason);
}

/** The slot wants this configuration and no other. */
export function wantConfiguration(context: Context, slot: string, configuration: string): void {
  const key = keyOf("ServiceName", slot);
  const others = context.graph
    .out(key, "wants", "Configuration")
    .filter(({ id }) => id !== configuration);
  if (others.length > 0) endTrial(context, slot);
  for (const { id } of others) context.update.unrelate(key, "wants", keyOf("Configuration", id));
  context.update.relate(key, "wants", keyOf("Configuration", configuration));
  for (const { id } of others) forgetConfiguration(context, id);
}
