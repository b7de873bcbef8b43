import { step as raftStep } from "@halon/raft";
import {
  beginAudit,
  onAnswerArrives,
  onRefused,
  onRequestDue,
  onTimeout,
  requestOf,
} from "./clients.ts";
import type { Counters } from "./counters.ts";
import { clockMs, feed, onDeliver, onDiskDone, onHostTurn, onTick } from "./feed.ts";
import { whatQuestionsMiss } from "./invariants/confirmed-leaders.ts";
import { whatHostsMiss } from "./invariants/host-liveness.ts";
import { type InvariantId, ViolationError, violated } from "./invariants/invariant.ts";
import { whatIsMissing } from "./invariants/liveness.ts";
import { hashCommitted } from "./ledger.ts";
import { startMember } from "./lifecycle.ts";
import { heal, onFault, onFaultEnd } from "./nemesis.ts";
import { slotsMax } from "./network.ts";
import { onOperator } from "./operator.ts";
import { Prng } from "./prng.ts";
import type { SimAnswer, StepFunction } from "./process.ts";
import type { Scenario } from "./scenario.ts";
import { eventKind, type SimMember, type World } from "./world.ts";
import { createWorld } from "./world-start.ts";

/** How long the healed members may take until every request has ended; µs. */
const healedUsMax = 30_000_000;
const auditEveryUs = 250_000;

/** A broken rule, and what led to it. */
export interface Violation {
  readonly invariant: InvariantId;
  readonly message: string;
  readonly seed: number;
  /** Number of the event. */
  readonly step: number;
  readonly timeUs: number;
  /** The last events as text, oldest first. */
  readonly transcript: readonly string[];
}

/** What came of a run. */
export interface Outcome {
  readonly events: number;
  readonly simulatedUs: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly counters: Counters;
  readonly operations: number;
  /** The last events as text, when more of them than usual were asked for. */
  readonly transcript: readonly string[];
  readonly violation: Violation | null;
}

export interface RunOptions {
  /** Instead of raft's own: one with a planted bug. Registers only. */
  readonly step?: StepFunction;
  /** Changes the world before the first event: a planted bug. */
  readonly plant?: (world: World) => void;
  /** The run ends after so many events, without its end being judged. */
  readonly stepsMax?: number;
  /** How many of the last events become text; by default 40, and only those of a violation. */
  readonly transcriptEvents?: number;
}

/**
 * Runs a scenario to its end, or to the first broken rule.
 *
 * Deterministic: the clock, the network and the disks are simulated, and all that is random comes from the seed.
 */
export function run(scenario: Scenario, options: RunOptions = {}): Outcome {
  const world = createWorld(scenario, options.step ?? raftStep, options.transcriptEvents);
  let violation: Violation | null = null;
  options.plant?.(world);
  try {
    boot(world);
    loop(world, options.stepsMax ?? Number.POSITIVE_INFINITY);
    if (world.phase === "done")
      for (const invariant of world.invariants.all) invariant.atEnd?.(world);
    if (world.phase === "done") world.cluster?.rules.atEnd(world);
  } catch (error) {
    // Whatever else is thrown broke something too: a write out of order, or the simulator itself.
    const broken = error instanceof ViolationError ? error : unexpected(error);
    violation = {
      invariant: broken.invariant,
      message: broken.message,
      seed: scenario.seed,
      step: world.events,
      timeUs: world.now,
      transcript: world.trace.lines(),
    };
  }
  world.trace.add(hashCommitted(world.ledger));
  return {
    events: world.events,
    simulatedUs: world.now,
    hash: world.trace.hash(),
    counters: world.counters,
    operations: world.operations.length,
    transcript: options.transcriptEvents === undefined ? [] : world.trace.lines(),
    violation,
  };
}

function unexpected(error: unknown): ViolationError {
  return new ViolationError(
    "I19",
    error instanceof Error ? (error.stack ?? error.message) : `${error}`,
  );
}

/** Puts into the queue what a scenario begins with. */
export function boot(world: World): void {
  const { queue, scenario } = world;
  const prng = new Prng(scenario.seed, "boot");
  for (const member of world.members.slice(0, scenario.settings.members))
    queue.push(prng.below(100_000), eventKind.start, member.slot, member.incarnation, null);
  scenario.faults.forEach(({ at }, i) => {
    queue.push(at, eventKind.fault, i, 0, null);
  });
  scenario.requests.forEach(({ at }, i) => {
    queue.push(at, eventKind.requestDue, i, 0, null);
  });
  queue.push(scenario.settings.faultsUs, eventKind.heal, 0, 0, null);
  world.cluster?.hooks.boot(world);
  queue.push(1_000_000, eventKind.operator, 0, 0, null);
}

function loop(world: World, stepsMax: number): void {
  while (world.phase !== "done" && world.events < stepsMax && takeEvent(world)) {
    // Until it is over.
  }
}

/** Lets the next event happen; false when there is none. */
export function takeEvent(world: World): boolean {
  const { queue, trace } = world;
  if (!queue.pop()) return false;
  world.now = queue.time;
  world.events += 1;
  trace.add(queue.time);
  trace.add(queue.kind);
  dispatch(world);
  return true;
}

function dispatch(world: World): void {
  const { kind, a, b, payload } = world.queue;
  switch (kind) {
    case eventKind.tick:
    case eventKind.diskDone:
    case eventKind.flush:
    case eventKind.apply:
    case eventKind.host: {
      const member = world.members[a];
      // Of an incarnation that has ended.
      if (member?.incarnation !== b || isHeldBack(world, member)) return;
      onOwnEvent(world, member, kind);
      return;
    }
    case eventKind.deliver: {
      const link = a & 0xff;
      const member = world.members[link % slotsMax];
      if (member?.status !== "up" || isHeldBack(world, member)) return;
      if (a >> 8 !== world.network.connections[link]) return;
      if (payload instanceof Uint8Array) onDeliver(world, member, b, payload);
      return;
    }
    case eventKind.peerLost: {
      const member = world.members[a];
      const peer = world.members[b];
      if (member?.status !== "up" || peer === undefined || isHeldBack(world, member)) return;
      feed(world, member, { type: "peerLost", peer: peer.id });
      return;
    }
    case eventKind.start: {
      const member = world.members[a];
      if (member?.incarnation !== b) return;
      if (member.status === "up" || member.status === "dead" || member.status === "removed") return;
      startMember(world, member);
      return;
    }
    default: {
      if (kind >= eventKind.turn) world.cluster?.hooks.dispatch(world);
      else dispatchOther(world, kind, a, b, payload as SimAnswer | null);
      return;
    }
  }
}

function onOwnEvent(world: World, member: SimMember, kind: number): void {
  switch (kind) {
    case eventKind.tick: {
      onTick(world, member);
      return;
    }
    case eventKind.diskDone: {
      onDiskDone(world, member);
      return;
    }
    case eventKind.host: {
      onHostTurn(world, member);
      return;
    }
    case eventKind.flush:
      member.isFlushDue = false;
      {
        feed(world, member, { type: "flush", ms: clockMs(world, member) });
        return;
      }
    default: {
      feed(world, member, { type: "apply" });
      return;
    }
  }
}

/** A paused member gets what happens to it when the pause ends, in the same order. */
function isHeldBack({ queue, now }: World, member: SimMember): boolean {
  if (member.pausedUntil <= now) return false;
  queue.push(member.pausedUntil, queue.kind, queue.a, queue.b, queue.payload);
  return true;
}

function dispatchOther(
  world: World,
  kind: number,
  a: number,
  b: number,
  payload: SimAnswer | null,
): void {
  const { scenario } = world;
  switch (kind) {
    case eventKind.fault: {
      const fault = scenario.faults[a];
      fault && onFault(world, fault, a);
      return;
    }
    case eventKind.faultEnd: {
      const fault = scenario.faults[a];
      fault && onFaultEnd(world, fault, a);
      return;
    }
    case eventKind.requestDue: {
      const request = scenario.requests[a];
      request && onRequestDue(world, request, a);
      return;
    }
    case eventKind.requestArrives: {
      onRequestArrives(world, a, b);
      return;
    }
    case eventKind.answerArrives: {
      const operation = world.operations[a];
      if (operation !== undefined && payload !== null)
        onAnswerArrives(world, operation, b, payload);
      return;
    }
    case eventKind.timeout: {
      const operation = world.operations[a];
      operation && onTimeout(world, operation, b);
      return;
    }
    case eventKind.operator: {
      onOperator(world);
      return;
    }
    case eventKind.heal:
      heal(world);
      beginAudit(world);
      world.queue.push(world.now + auditEveryUs, eventKind.audit, 0, 0, null);
      return;
    case eventKind.audit: {
      onAudit(world);
      return;
    }
  }
}

function onRequestArrives(world: World, id: number, slot: number): void {
  const operation = world.operations[id];
  const member = world.members[slot];
  if (operation === undefined || operation.isDone || operation.slot !== slot) return;
  if (member?.status !== "up") {
    onRefused(world, operation);
    return;
  }
  if (isHeldBack(world, member)) return;
  operation.hasArrived = true;
  if (!member.isFlushDue) {
    member.isFlushDue = true;
    world.queue.push(world.now + 50, eventKind.flush, slot, member.incarnation, null);
  }
  feed(world, member, { type: "request", id, request: requestOf(operation) });
}

function onAudit(world: World): void {
  const missing: (readonly [InvariantId, string | null])[] = [
    ["I20", whatIsMissing(world)],
    ["I26", whatHostsMiss(world)],
    ["I27", whatQuestionsMiss(world)],
  ];
  const cluster = world.cluster?.rules.missing(world) ?? null;
  if (cluster !== null) missing.push(["C16", cluster]);
  const first = missing.find(([, what]) => what !== null);
  if (first === undefined) {
    world.phase = "done";
    return;
  }
  const [invariant, what] = first;
  if (world.now > world.healedAt + healedUsMax)
    violated(invariant, `30 s after the healing: ${what}`);
  world.queue.push(world.now + auditEveryUs, eventKind.audit, 0, 0, null);
}
