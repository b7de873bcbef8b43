import type { HelloReply } from "@halon/node/core";
import type { HelloRequest } from "@halon/protocol";
import { eventKind, type World } from "../world.ts";
import { nextNumber } from "./coordinator-thread.ts";
import { arrivalOf, isOpen } from "./links.ts";
import { give } from "./threads.ts";
import { clusterOf, type SimNode } from "./world.ts";

/** A request of a node to another that may not know it, as over HTTP. */
export interface HttpRequest {
  readonly ref: number;
  /** Slot of the sender. */
  readonly from: number;
  readonly method: "GET" | "POST";
  readonly path: "/hello" | "/id";
  /** Empty: it has no body. */
  readonly text: string;
}

/** What a node answers. */
export interface HttpAnswer {
  readonly status: number;
  readonly location?: string;
  readonly body: unknown;
}

/** A request, or what comes back of it, on its way. */
export type HttpPayload =
  | { readonly http: "request"; readonly request: HttpRequest }
  | { readonly http: "reply"; readonly ref: number; readonly reply: HelloReply };

/** Sends a request to an address; its number. Whoever sends it waits at most as long as it likes. */
export function sendRequest(
  world: World,
  node: SimNode,
  address: string,
  what: { readonly method: "GET" | "POST"; readonly path: HttpRequest["path"] } & {
    readonly body?: HelloRequest;
  },
): number {
  const ref = nextNumber(world);
  const { method, path, body } = what;
  const text = body === undefined ? "" : JSON.stringify(body);
  const to = clusterOf(world).byAddress.get(address);
  const request = { ref, from: node.slot, method, path, text };
  if (to === undefined) reject(world, node, ref, "the name is not known");
  else fly(world, node, to, { http: "request", request });
  return ref;
}

/** Answers a request. */
export function sendAnswer(
  world: World,
  node: SimNode,
  { ref, from }: HttpRequest,
  { status, location, body }: HttpAnswer,
): void {
  const to = clusterOf(world).nodes[from];
  if (to === undefined) return;
  const parsed: unknown = JSON.parse(JSON.stringify(body));
  const reply: HelloReply = { type: "answer", status, location, body: parsed };
  fly(world, node, to, { http: "reply", ref, reply });
}

/** Something has come to the machine. */
export function onHttp(world: World, node: SimNode, payload: HttpPayload): void {
  const { beginning, halond } = node;
  if (payload.http === "reply") {
    const { ref, reply } = payload;
    if (beginning !== null) give(world, beginning, { type: "reply", ref, reply });
    return;
  }
  const { request } = payload;
  if (beginning !== null) give(world, beginning, { type: "http", request });
  else if (halond !== null) give(world, halond, { type: "http", request });
  else if (!node.isLost) {
    const sender = clusterOf(world).nodes[request.from];
    // A machine that is gone does not say so.
    if (sender !== undefined && isOpen(world, node.slot, request.from))
      reject(world, sender, request.ref, "nobody listens there");
  }
}

function reject(world: World, sender: SimNode, ref: number, reason: string): void {
  const at = world.now + 2 * world.network.settings.delayMinUs;
  const reply = { type: "none", reason } as const;
  world.queue.push(at, eventKind.node, sender.slot, 0, { http: "reply", ref, reply });
}

function fly(world: World, from: SimNode, to: SimNode, payload: HttpPayload): void {
  const { loss = 0, duplicate = 0, straggle = 0 } = clusterOf(world).settings.bootstrap ?? {};
  const isCalm = world.network.isCalm;
  if (!isOpen(world, from.slot, to.slot)) return;
  if (!isCalm && from.prng.chance(loss)) return;
  const copies = !isCalm && from.prng.chance(duplicate) ? 2 : 1;
  for (let copy = 0; copy < copies; copy++) {
    const inUs = arrivalOf(world, from, to.slot) - world.now;
    const slow = !isCalm && from.prng.chance(straggle) ? 10 : 1;
    world.queue.push(world.now + inUs * slow, eventKind.node, to.slot, 0, payload);
  }
}
