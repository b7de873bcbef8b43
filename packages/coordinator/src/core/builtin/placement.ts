import { compareText, events, keyOf, type Placement, type Resource, slotId } from "@halon/protocol";
import type { Context } from "./context.ts";
import { reconcileSlot } from "./slot.ts";
import { forgetConfiguration } from "./wanted.ts";

/** A node as placement sees it. */
export interface Candidate {
  readonly name: string;
  readonly up: boolean;
  /** It may get further services: not draining, not in maintenance. */
  readonly open: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Services that are wanted there already. */
  readonly load: number;
}

export interface PlacementPlan {
  readonly nodes: readonly string[];
  /** Why fewer than asked for; undefined when all are placed. */
  readonly shortfall: string | undefined;
}

/**
 * Where a deployment is wanted now.
 *
 * Places that are kept are kept: nothing moves to make the load even. A place on a lost node is kept when the
 * deployment waits for its node, and given up when it moves.
 */
export function plan(
  wanted: {
    readonly on: Placement;
    readonly replicas: number | undefined;
    readonly onNodeLoss: "move" | "wait";
  },
  nodes: readonly Candidate[],
  current: readonly string[],
): PlacementPlan {
  const fitting = nodes.filter((node) => fits(wanted.on, node));
  if (wanted.on === "every-node")
    return { nodes: fitting.map((node) => node.name), shortfall: undefined };
  const count = wanted.replicas ?? 1;
  const held = fitting.filter((node) => current.includes(node.name));
  const kept = held.filter((node) => node.up || wanted.onNodeLoss === "wait");
  const fresh = fitting
    .filter((node) => node.up && node.open && !kept.includes(node))
    .sort((a, b) => a.load - b.load || compareText(a.name, b.name));
  const lost = held.filter((node) => !kept.includes(node));
  const chosen = [...kept.sort(upFirst), ...fresh, ...lost].slice(0, count);
  const placed = chosen.filter((node) => node.up).length;
  return {
    nodes: chosen.map((node) => node.name).sort(compareText),
    shortfall:
      placed === count
        ? undefined
        : `${placed} of ${count} on nodes that are up; no further node that is up fits`,
  };
}

function upFirst(a: Candidate, b: Candidate): number {
  return Number(b.up) - Number(a.up) || compareText(a.name, b.name);
}

function fits(on: Placement, node: Candidate): boolean {
  if (on === "every-node" || on === "any-node") return true;
  if ("node" in on) return on.node === node.name;
  const equals = on.label.indexOf("=");
  return node.labels[on.label.slice(0, equals)] === on.label.slice(equals + 1);
}

/** Brings the places of every deployment up to date, and reconciles the slots that changed. */
export function placeAll(context: Context): void {
  for (const deployment of context.graph.list("Deployment")) place(context, deployment);
}

export function place(context: Context, deployment: Resource<"Deployment">): void {
  const { graph, update } = context;
  const key = keyOf("Deployment", deployment.id);
  const { on, replicas, onNodeLoss, type } = deployment.attributes;
  const slots = graph.out(key, "places", "ServiceName");
  const current = slots.map((slot) => slot.attributes.node);
  const planned = plan({ on, replicas, onNodeLoss }, candidates(context), current);
  if (planned.shortfall !== deployment.attributes.shortfall) {
    update.patch("Deployment", deployment.id, { shortfall: planned.shortfall });
  }
  const given = slots.filter((slot) => !planned.nodes.includes(slot.attributes.node));
  for (const slot of given) unplace(context, deployment.id, slot.id);
  const added = planned.nodes.filter((node) => !current.includes(node));
  added.forEach((node, position) => {
    // A person stopped the service, not the node that it was on.
    const halted = given[position]?.attributes.halted === true;
    want(context, deployment.id, { type, node, halted });
  });
  given.forEach((slot, position) => {
    const to = added[position];
    const { node } = slot.attributes;
    if (to === undefined) return;
    const reason = `${node} is ${graph.get("Node", node)?.attributes.state ?? "gone"}`;
    context.publish(events.ServiceMoved, { service: deployment.id, from: node, to, reason });
    context.why(`moves ${deployment.id} from ${node} to ${to}: ${reason}`);
  });
}

/** The service is wanted there no longer; what runs there is stopped once the node can be reached. */
export function unplace(context: Context, deployment: string, slot: string): void {
  const key = keyOf("ServiceName", slot);
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
  if (graph.get("ServiceName", id) === undefined) {
    update.put("ServiceName", id, { service, node, incarnation: 0, restarts: 0 });
    update.relate(keyOf("Node", node), "provides", key);
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

/** The slot wants this configuration and no other. */
export function wantConfiguration(context: Context, slot: string, configuration: string): void {
  const key = keyOf("ServiceName", slot);
  const others = context.graph
    .out(key, "wants", "Configuration")
    .filter(({ id }) => id !== configuration);
  for (const { id } of others) context.update.unrelate(key, "wants", keyOf("Configuration", id));
  context.update.relate(key, "wants", keyOf("Configuration", configuration));
  for (const { id } of others) forgetConfiguration(context, id);
}

function candidates(context: Context): Candidate[] {
  return context.graph.list("Node").map((node) => {
    const { state, labels } = node.attributes;
    return {
      name: node.id,
      // A suspected node is not given up yet.
      up: state !== "down",
      open: state === "up",
      labels,
      load: context.graph
        .out(keyOf("Node", node.id), "provides", "ServiceName")
        .filter(
          (slot) => context.graph.out(keyOf("ServiceName", slot.id), "wants", "Service").length > 0,
        ).length,
    };
  });
}
