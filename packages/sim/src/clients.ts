import type { Json } from "@halon/protocol";
import type { Operation, Outcome } from "./linearizability.ts";
import type { Prng } from "./prng.ts";
import type { SimAnswer, SimRequest } from "./process.ts";
import type { ClientRequest } from "./scenario.ts";
import {
  eventKind,
  type PendingOperation,
  type SimClient,
  type SimMember,
  type World,
} from "./world.ts";

/** Keys from here on are written by bursts and read by nobody. */
export const burstKeys = 1_000;
/** Values of the audit do not meet those of clients. */
const auditValues = 1_000_000;
const timeoutUs = 3_000_000;
const giveUpUs = 5_000_000;

/** A request of the scenario is due: it begins, or waits for the one before it of the same client. */
export function onRequestDue(world: World, request: ClientRequest, index: number): void {
  const client = world.clients[request.client];
  if (client === undefined) return;
  if (request.type === "burst") {
    for (let i = 0; i < request.count; i++)
      begin(world, client, "write", burstKeys + (i & 7), request.value + i, false);
    return;
  }
  if (client.operation !== null) {
    client.waiting.push(index);
    return;
  }
  const value = request.type === "read" ? 0 : request.value;
  client.operation = begin(world, client, request.type, request.key, value, true);
}

/** Reads every register and writes one, until each has been done. */
export function beginAudit(world: World): void {
  const auditor = world.clients.at(-1);
  if (auditor === undefined) return;
  for (let key = 0; key < world.scenario.settings.keys; key++)
    begin(world, auditor, "read", key, 0, true);
  begin(world, auditor, "write", 0, auditValues + world.operations.length, true);
}

function begin(
  world: World,
  client: SimClient,
  type: PendingOperation["type"],
  key: number,
  value: number,
  isRecorded: boolean,
): PendingOperation {
  const operation: PendingOperation = {
    id: world.operations.length,
    client: client.number,
    type,
    key,
    value,
    expected: client.seen[key] ?? null,
    isRecorded,
    start: world.now,
    acknowledgedIndex: world.ledger.acknowledgedIndex,
    tries: 0,
    slot: -1,
    hasArrived: false,
    isInquiry: false,
    isDone: false,
  };
  world.operations.push(operation);
  world.inFlight.add(operation);
  send(world, client, operation, client.leader, 0);
  return operation;
}

/** What a member is asked for an operation. */
export function requestOf(operation: PendingOperation): SimRequest {
  const { type, key, value, expected } = operation;
  const clientId = `client-${operation.id}`;
  if (operation.isInquiry) return { type: "inquire", clientId };
  switch (type) {
    case "read":
      return { type, key };
    case "write":
      return { type, key, value, clientId };
    case "cas":
      return { type, key, expected, value, clientId };
  }
}

function send(
  world: World,
  client: SimClient,
  operation: PendingOperation,
  slot: number,
  inUs: number,
): void {
  operation.slot = slot;
  operation.hasArrived = false;
  operation.tries += 1;
  const arrival = world.now + inUs + delayOf(world, client.prng);
  world.queue.push(arrival, eventKind.requestArrives, operation.id, slot, null);
  world.queue.push(
    world.now + inUs + timeoutUs,
    eventKind.timeout,
    operation.id,
    operation.tries,
    null,
  );
}

function delayOf({ scenario }: World, prng: Prng): number {
  return prng.between(scenario.settings.delayMinUs, scenario.settings.delayMaxUs);
}

/** Nobody listens there: nothing took place. */
export function onRefused(world: World, operation: PendingOperation): void {
  tryElsewhere(world, operation, 30_000);
}

/** A member answers; the answer travels, or is lost with its connection. */
export function onClientAnswer(
  world: World,
  member: SimMember,
  id: number,
  answer: SimAnswer,
): void {
  const operation = world.operations[id];
  // The operator's requests have ids below zero; what comes of them shows in the configuration.
  if (operation === undefined) return;
  for (const invariant of world.invariants.all)
    invariant.onAnswer?.(world, member, operation, answer);
  world.counters.answered += 1;
  const client = world.clients[operation.client];
  if (client === undefined) return;
  const { loss } = world.scenario.settings;
  if (!world.network.isCalm && loss > 0 && client.prng.chance(loss)) return;
  world.queue.push(
    world.now + delayOf(world, client.prng),
    eventKind.answerArrives,
    id,
    member.slot,
    answer,
  );
}

/** The clients of a member that has ended see their connections close: what comes of their requests is unknown. */
export function onConnectionClosed(world: World, member: SimMember): void {
  for (const operation of world.inFlight)
    if (operation.slot === member.slot && operation.hasArrived)
      world.queue.push(world.now + 1_000, eventKind.answerArrives, operation.id, member.slot, {
        type: "unknown",
      });
}

export function onAnswerArrives(
  world: World,
  operation: PendingOperation,
  slot: number,
  answer: SimAnswer,
): void {
  if (operation.isDone || operation.slot !== slot) return;
  const client = world.clients[operation.client];
  if (client === undefined) return;
  if (operation.isInquiry) {
    const tookPlace = answer.type === "ok" && (answer.value ?? 0) > 0;
    finish(world, client, operation, tookPlace ? "ok" : "unknown", null);
    return;
  }
  switch (answer.type) {
    case "ok":
      client.leader = slot;
      client.seen[operation.key] = operation.type === "read" ? answer.value : operation.value;
      {
        finish(world, client, operation, "ok", answer.value);
        return;
      }
    case "failed": {
      finish(world, client, operation, "failed", null);
      return;
    }
    case "unknown": {
      finish(world, client, operation, "unknown", null);
      return;
    }
    case "notLeader": {
      const leader = world.slots.get(answer.leaderId) ?? slot;
      client.leader = leader;
      if (operation.tries > 60) {
        finish(world, client, operation, "refused", null);
        return;
      }
      send(world, client, operation, leader, operation.tries > 3 ? 20_000 : 0);
      return;
    }
    case "noLeader":
    case "busy":
    case "refused": {
      tryElsewhere(world, operation, 60_000);
      return;
    }
  }
}

function tryElsewhere(world: World, operation: PendingOperation, inUs: number): void {
  const client = world.clients[operation.client];
  if (client === undefined || operation.isDone) return;
  if (world.now - operation.start > giveUpUs || operation.tries > 60) {
    finish(world, client, operation, operation.isInquiry ? "unknown" : "refused", null);
    return;
  }
  const up = world.members.filter(({ status }) => status === "up");
  const next = up[client.prng.below(up.length)];
  if (next !== undefined) client.leader = next.slot;
  send(world, client, operation, client.leader, inUs + client.prng.below(20_000));
}

export function onTimeout(world: World, operation: PendingOperation, tries: number): void {
  if (operation.isDone || operation.tries !== tries) return;
  const client = world.clients[operation.client];
  if (client !== undefined) finish(world, client, operation, "unknown", null);
}

function finish(
  world: World,
  client: SimClient,
  operation: PendingOperation,
  outcome: Outcome,
  value: number | null,
): void {
  if (outcome === "unknown" && canInquire(world, operation)) {
    operation.isInquiry = true;
    send(world, client, operation, client.leader, 300_000);
    return;
  }
  operation.isDone = true;
  world.inFlight.delete(operation);
  world.trace.add(outcome.length);
  if (outcome === "unknown") world.counters.unknown += 1;
  if (operation.isRecorded) world.history.push(recordOf(world, operation, outcome, value));
  if (client.number === world.clients.length - 1) {
    if (outcome !== "ok") {
      const { type, key } = operation;
      begin(world, client, type, key, auditValues + world.operations.length, true);
    }
    return;
  }
  if (client.operation !== operation) return;
  client.operation = null;
  const index = client.waiting.shift();
  const request = index === undefined ? undefined : world.scenario.requests[index];
  if (index !== undefined && request !== undefined) onRequestDue(world, request, index);
}

/** A write that carries a client id can be looked up, once. */
function canInquire(
  { scenario }: World,
  { isInquiry, type, isRecorded }: PendingOperation,
): boolean {
  const isWrite = type === "write" || type === "cas";
  return scenario.settings.machine === "agency" && isWrite && isRecorded && !isInquiry;
}

function recordOf(
  world: World,
  operation: PendingOperation,
  outcome: Outcome,
  read: Json,
): Operation {
  const { type, key, value, expected, start } = operation;
  const call = { id: String(operation.id), start, end: world.now, key: `r${key}` };
  switch (type) {
    case "write":
      if (outcome === "failed") throw new Error(`write ${operation.id} has failed`);
      return { ...call, type, value, outcome };
    case "cas":
      return { ...call, type, value, expected, outcome };
    case "read":
      if (outcome === "failed") throw new Error(`read ${operation.id} has failed`);
      if (outcome === "ok") return { ...call, type, outcome, value: read };
      return { ...call, type, outcome };
  }
}
