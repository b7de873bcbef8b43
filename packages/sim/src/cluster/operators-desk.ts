import type { Reply } from "@halon/coordinator/core";
import { eventKind, type World } from "../world.ts";
import type { SimHalond, SimTracker } from "./halond.ts";
import { give } from "./threads.ts";
import { clusterOf, type OperatorAnswer, type OperatorRequest, type SimNode } from "./world.ts";

/** How long an operator waits for an answer; µs. */
const timeoutUs = 5_000_000;
const wayMinUs = 100;
const wayMaxUs = 500;

/** Sends a request to the node; the answer comes to the cluster's `operators`, once. */
export function askNode(world: World, node: SimNode, request: OperatorRequest): void {
  const { asked } = clusterOf(world);
  const { ref } = request;
  asked.set(ref, node.slot);
  const { queue, now } = world;
  const at = now + node.prng.between(wayMinUs, wayMaxUs);
  queue.push(at, eventKind.asked, node.slot, 0, request);
  const late = { ref, answer: { type: "unknown" } } as const;
  queue.push(now + timeoutUs, eventKind.answered, 0, 0, late);
}

/** A request of an operator has come to its node. */
export function onAsked(world: World, node: SimNode, request: OperatorRequest): void {
  if (node.halond === null) answer(world, node, request.ref, { type: "unknown" });
  else give(world, node.halond, { type: "asked", request });
}

/** The node hands it to the coordinator that decides, or says who does. */
export function takeRequest(
  world: World,
  halond: SimHalond,
  { ref, id, event }: OperatorRequest,
): void {
  const { node, tracker, agent } = halond;
  if (tracker?.core.leads !== true || node.coordinator === null) {
    answer(world, node, ref, { type: "notLeader", leader: agent.leader ?? null });
    return;
  }
  const cluster = clusterOf(world);
  cluster.lastNumber += 1;
  const number = cluster.lastNumber;
  tracker.operators.set(number, ref);
  give(world, node.coordinator, { type: "submit", ref: number, id, event });
}

/** The coordinator has answered. */
export function answerOperator(
  world: World,
  { node }: SimHalond,
  { operators }: SimTracker,
  { ref, reply }: { readonly ref: number; readonly reply: Reply },
): void {
  const asked = operators.get(ref);
  operators.delete(ref);
  if (asked !== undefined) answer(world, node, asked, answerOf(reply));
}

function answerOf(reply: Reply): OperatorAnswer {
  if (reply.type === "gap") throw new Error("a request of an operator has no number");
  // Whether it took effect is not known, or it did not because nobody leads: it is asked again.
  if (reply.type === "refused" && reply.error.code === "HAL_NO_LEADER") return { type: "unknown" };
  return reply;
}

function answer(world: World, node: SimNode, ref: number, said: OperatorAnswer): void {
  const at = world.now + node.prng.between(wayMinUs, wayMaxUs);
  world.queue.push(at, eventKind.answered, 0, 0, { ref, answer: said });
}

/** An answer has come, or the time for it is over. */
export function onAnswered(
  world: World,
  { ref, answer: said }: { readonly ref: number; readonly answer: OperatorAnswer },
): void {
  const { asked, operators } = clusterOf(world);
  if (asked.delete(ref)) operators.answered(world, ref, said);
}

/** The node has ended: whoever asked it sees the connection close. */
export function dropRequests(world: World, node: SimNode): void {
  for (const [ref, slot] of clusterOf(world).asked)
    if (slot === node.slot) answer(world, node, ref, { type: "unknown" });
}
