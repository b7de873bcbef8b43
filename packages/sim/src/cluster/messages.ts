import type { GraphJson } from "@halon/graph";
import type { Attached, Refusal, Renewed, ToAgent, ToTracker } from "@halon/node/core";
import { eventKind, type World } from "../world.ts";
import type { SimHalond } from "./halond.ts";
import { arrivalOf, isOpen, sendFrame } from "./links.ts";
import { arm, disarm, give } from "./threads.ts";
import { clusterOf, type SimNode } from "./world.ts";

/** What one node's parts send another's; `ref` is the number of a question. */
export type Envelope =
  | { readonly to: "agent"; readonly message: ToAgent }
  | { readonly to: "tracker"; readonly message: ToTracker; readonly ref: number | null }
  | { readonly to: "observer"; readonly about: string; readonly ref: number }
  | { readonly to: "replica"; readonly ref: number }
  | { readonly to: "caller"; readonly ref: number; readonly answer: CallAnswer };

/** What comes back of a question. */
export type CallAnswer =
  | { readonly type: "attached"; readonly attached: Attached }
  | { readonly type: "renewed"; readonly renewed: Renewed }
  | { readonly type: "opinion"; readonly ageMs: number | null }
  | {
      readonly type: "replica";
      readonly index: number;
      readonly epoch: number;
      readonly graph: GraphJson;
    }
  | { readonly type: "refused"; readonly refusal: Refusal };

/** Without a link: who leads? */
export type Packet =
  | { readonly type: "whoLeads"; readonly ref: number }
  | { readonly type: "leaderIs"; readonly ref: number; readonly address: string | null };

/** A question of this node that has no answer yet. */
export interface PendingCall {
  /** Slot of who was asked. */
  readonly of: number;
  readonly what:
    | { readonly type: "attach" | "renew"; readonly ref: number }
    | { readonly type: "opinion"; readonly ref: number; readonly about: string }
    | { readonly type: "replica" }
    | { readonly type: "whoLeads"; readonly address: string };
}

/** A message as the tracker takes it, and where its answer goes. */
export interface TrackerMessage {
  readonly from: number;
  readonly message: ToTracker;
  readonly ref: number | null;
}

/** Sends to a part of the node in this slot, this one's own included. False: there is no link to it. */
export function send(world: World, halond: SimHalond, slot: number, envelope: Envelope): boolean {
  if (slot === halond.node.slot) {
    give(world, halond, { type: "local", envelope });
    return true;
  }
  return halond.links.has(slot) && sendText(world, halond, slot, JSON.stringify(envelope));
}

/** Sends the text of an envelope to another node. False: there is no link to it. */
export function sendText(world: World, halond: SimHalond, slot: number, text: string): boolean {
  const link = halond.links.get(slot);
  return link !== undefined && sendFrame(world, link, halond.node.slot, text);
}

/** Notes a question; its number. It is due as `call:<number>` when nobody has answered in time. */
export function noteCall(
  world: World,
  halond: SimHalond,
  call: PendingCall,
  timeoutMs: number,
): number {
  const cluster = clusterOf(world);
  cluster.lastNumber += 1;
  const number = cluster.lastNumber;
  halond.calls.set(number, call);
  arm(world, halond, `call:${number}`, timeoutMs);
  return number;
}

/** Takes a question whose end has come; undefined: it had one before. */
export function takeCall(halond: SimHalond, number: number): PendingCall | undefined {
  const call = halond.calls.get(number);
  halond.calls.delete(number);
  disarm(halond, `call:${number}`);
  return call;
}

/** Answers a question that could not be sent. */
export function failCall(world: World, halond: SimHalond, number: number): void {
  const refusal = { code: "HAL_UNREACHABLE", message: "there is no link to it" } as const;
  const answer = { type: "refused", refusal } as const;
  give(world, halond, { type: "local", envelope: { to: "caller", ref: number, answer } });
}

/** Sends a packet without a link; what does not arrive is not heard of again. */
export function sendPacket(world: World, node: SimNode, to: number, packet: Packet): void {
  if (!isOpen(world, node.slot, to)) return;
  const payload = { packet: JSON.stringify(packet) };
  world.queue.push(arrivalOf(world, node, to), eventKind.frame, to, node.slot, payload);
}

/** Slot of the node with this name; -1: there is none. */
export function slotOf(world: World, name: string): number {
  return clusterOf(world).byName.get(name)?.slot ?? -1;
}

/** Slot of the node at this `host:port`; -1: there is none. */
export function slotAt(world: World, address: string): number {
  return clusterOf(world).byAddress.get(address)?.slot ?? -1;
}
