import {
  builtInRules,
  DecisionCore,
  firstObservation,
  type LeaseEffect,
  LeaseGrants,
  type LoopEffect,
  type RuleSet,
  watermarkOf,
} from "@halon/coordinator/core";
import { type ErrorData, events } from "@halon/protocol";
import { indexRules } from "@halon/rules";
import { feed } from "../feed.ts";
import type { World } from "../world.ts";
import { asked, type Decider, type Reader, reply } from "./askers.ts";
import {
  type CoordinatorInput,
  deltaOf,
  endCoordinator,
  nextNumber,
  recoveredState,
  type SimCoordinator,
  saveIfDue,
  tell,
} from "./coordinator-thread.ts";
import { carryOutLeases, confirmedEffects } from "./lease-desk.ts";
import type { StoreAnswer } from "./member-process.ts";
import type { ToCoordinator } from "./news.ts";
import { arm, disarm, give } from "./threads.ts";
import { clusterOf, machineMs, saw, wallMs } from "./world.ts";

/** Wait before what consensus did not take is offered again; ms. */
const againMs = 20;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The rules of all clusters, and those that a test adds: they run as they are, without a realm of their own. */
function rulesOf(world: World): RuleSet {
  const { ruleFiles } = clusterOf(world);
  const declared = ruleFiles.flatMap(({ rules }) => rules.events);
  return {
    index: indexRules([{ name: "builtin", rules: builtInRules }, ...ruleFiles]),
    declared: new Map(declared.map((event) => [event.type, event])),
  };
}

/** The standby has folded all there is, and decides from now on under this epoch. */
export function beginToDecide(world: World, coordinator: SimCoordinator, epoch: number): void {
  const { node, folded } = coordinator;
  const now = machineMs(world, node);
  const loop = new DecisionCore({ epoch, state: folded, rules: rulesOf(world), now });
  const decider: Decider = {
    epoch,
    loop,
    grants: new LeaseGrants(now),
    replies: new Map(),
    reads: new Map(),
    renewing: new Map(),
    confirming: null,
    append: null,
  };
  coordinator.decider = decider;
  world.trace.note(world.now, `${node.name} decides in epoch ${epoch} from ${folded.index} on`);
  saw(world, { type: "leading", node, epoch, index: folded.index });
  carryOut(world, coordinator, decider, loop.begin([], now));
  tell(world, coordinator, { type: "leading", epoch });
  const { clusterId } = clusterOf(world);
  const first = firstObservation(loop.state, { id: clusterId, name: "halon" });
  if (first !== null)
    carryOut(world, coordinator, decider, loop.observe(first.type, first.data, null));
}

/** The store is another's. */
export function loseLead(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  error: ErrorData,
): void {
  carryOut(world, coordinator, decider, decider.loop.lose(error));
}

/** Takes one of the things that wait for a coordinator that decides. */
export function takeDeciding(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  input: CoordinatorInput,
): void {
  const { loop } = decider;
  switch (input.type) {
    case "decide":
      decide(world, coordinator, decider);
      return;
    case "due":
      onDue(world, coordinator, decider, input.key);
      return;
    case "appended":
      onAppended(world, coordinator, decider, input);
      return;
    case "confirmed":
      if (decider.confirming?.id === input.id)
        onConfirmed(world, coordinator, decider, input.leads);
      return;
    case "resend":
      carryOut(world, coordinator, decider, loop.resend(input.node));
      return;
    case "events":
      takeEvents(world, coordinator, decider, input);
      return;
    case "submit": {
      const { ref, id, event } = input;
      const number = asked(world, decider, { type: "operator", ref });
      carryOut(world, coordinator, decider, loop.submit({ type: "client", id, event }, number));
      return;
    }
    case "observe":
      observe(world, coordinator, decider, input);
      return;
    case "renew": {
      const { ref, node, asked: leases } = input;
      decider.renewing.set(ref, node);
      grant(world, coordinator, decider, decider.grants.renew(ref, node, leases));
      return;
    }
    case "watermark":
      whenDurable(world, coordinator, decider, input);
      return;
    case "look":
    case "snapshotDone":
      return;
  }
}

function takeEvents(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  { source, incarnation, events: numbered }: Extract<ToCoordinator, { readonly type: "events" }>,
): void {
  const last = numbered.at(-1)?.sequence ?? 0;
  for (const { sequence, event } of numbered) {
    const asker = { type: "source", source, incarnation, sequence, last } as const;
    const number = asked(world, decider, asker);
    const input = { type: "numbered", source, incarnation, sequence, event } as const;
    carryOut(world, coordinator, decider, decider.loop.submit(input, number));
  }
}

/** A loss says how old the leases of the node are at most: nothing is granted to it from here on. */
function observe(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  { event: { type, data } }: Extract<ToCoordinator, { readonly type: "observe" }>,
): void {
  const { loop, grants } = decider;
  if (type !== events.NodeLost.type) {
    carryOut(world, coordinator, decider, loop.observe(type, data, null));
    return;
  }
  const lost = data as { readonly node: string };
  const leaseAgeMs = grants.losing(lost.node, machineMs(world, coordinator.node));
  const number = asked(world, decider, { type: "loss", node: lost.node });
  carryOut(world, coordinator, decider, loop.observe(type, { ...lost, leaseAgeMs }, number));
}

function whenDurable(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  reader: Reader,
): void {
  const number = nextNumber(world);
  decider.reads.set(number, reader);
  carryOut(world, coordinator, decider, decider.loop.whenDurable(number));
}

function decide(world: World, coordinator: SimCoordinator, decider: Decider): void {
  const { node } = coordinator;
  const now = machineMs(world, node);
  carryOut(world, coordinator, decider, decider.loop.decide(now, wallMs(world, node)));
}

function onDue(world: World, coordinator: SimCoordinator, decider: Decider, key: string): void {
  if (key === "timers" || key === "resend")
    carryOut(world, coordinator, decider, decider.loop.due(key));
  else if (key === "again") sendAppend(world, coordinator, decider);
  // It could not be found out in time.
  else if (key === "confirm") onConfirmed(world, coordinator, decider, false);
}

function carryOut(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  effects: readonly LoopEffect[],
): void {
  for (const effect of effects) {
    if (!coordinator.isAlive) return;
    carryOutOne(world, coordinator, decider, effect);
  }
}

function carryOutOne(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  effect: LoopEffect,
): void {
  const { node } = coordinator;
  switch (effect.type) {
    case "decide":
      if (effect.when === "now") decide(world, coordinator, decider);
      else give(world, coordinator, { type: "decide" });
      return;
    case "append":
      decider.append = {
        id: nextNumber(world),
        index: effect.index,
        data: encoder.encode(effect.text),
      };
      sendAppend(world, coordinator, decider);
      return;
    case "readRecord": {
      const [slot] = coordinator.process.replica.records.read(effect.index, 1);
      const text = slot === undefined ? null : decoder.decode(slot.data);
      carryOut(world, coordinator, decider, decider.loop.recordRead(text));
      return;
    }
    case "recover": {
      const state = recoveredState(world, coordinator);
      carryOut(world, coordinator, decider, decider.loop.recovered(state));
      return;
    }
    case "bringRules":
      carryOut(world, coordinator, decider, decider.loop.rulesBrought(rulesOf(world), []));
      return;
    case "send":
      tell(world, coordinator, { type: "commands", commands: effect.commands });
      saw(world, { type: "commandsSent", node, epoch: decider.epoch, commands: effect.commands });
      return;
    case "committed": {
      const { record } = effect;
      tell(world, coordinator, { type: "record", delta: deltaOf(record) });
      saw(world, { type: "committed", node, record, state: decider.loop.state });
      saveIfDue(world, coordinator, decider.loop.state);
      return;
    }
    case "reply":
      reply(world, coordinator, decider, effect);
      return;
    case "durable":
      read(world, coordinator, decider, effect.ref);
      return;
    case "arm":
      arm(world, coordinator, effect.key, effect.inMs);
      return;
    case "disarm":
      disarm(coordinator, effect.key);
      return;
    case "warning":
      world.trace.note(world.now, `${node.name}: ${effect.text}`);
      return;
    case "lost":
      endCoordinator(world, coordinator, effect.error.code, effect.error.message);
      return;
    case "closed":
      return;
  }
}

function sendAppend(world: World, coordinator: SimCoordinator, decider: Decider): void {
  const { append, epoch, loop } = decider;
  const { node, process } = coordinator;
  if (append === null) return;
  const { id, index, data } = append;
  const next = process.replica.records.lastPosition + 1;
  if (index !== next) {
    decider.append = null;
    carryOut(world, coordinator, decider, loop.appended({ type: "conflict", next }));
    return;
  }
  saw(world, { type: "appending", node, index, epoch, data });
  const input = { type: "appendRecord", id, epoch, position: index, data } as const;
  feed(world, node.member, { type: "store", input });
}

function onAppended(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  { id, answer }: Extract<StoreAnswer, { readonly type: "appended" }>,
): void {
  const { append, loop } = decider;
  if (append?.id !== id) return;
  if (answer.type === "busy") {
    decider.append = { ...append, id: nextNumber(world) };
    arm(world, coordinator, "again", againMs);
    return;
  }
  decider.append = null;
  if (answer.type === "lostLeadership") {
    const { node } = coordinator;
    saw(world, { type: "unknownOutcome", node, index: append.index });
    const message = "the leadership ended while the record was being written";
    const failed = loop.failed({ code: "HAL_STORE_FAILED", message });
    carryOut(world, coordinator, decider, failed);
    return;
  }
  const next = coordinator.process.replica.records.lastPosition + 1;
  const result = answer.type === "conflict" ? ({ type: "conflict", next } as const) : answer;
  carryOut(world, coordinator, decider, loop.appended(result));
}

function read(world: World, coordinator: SimCoordinator, decider: Decider, number: number): void {
  const reader = decider.reads.get(number);
  decider.reads.delete(number);
  if (reader === undefined) throw new Error(`read ${number} comes twice, or to nobody`);
  const { state } = decider.loop;
  if (reader.type === "grant") {
    const now = machineMs(world, coordinator.node);
    grant(world, coordinator, decider, decider.grants.durable(reader.ref, state, now));
    return;
  }
  const { ref, source, incarnation } = reader;
  const sequence = watermarkOf(state, source, incarnation);
  tell(world, coordinator, { type: "watermarkIs", ref, sequence });
}

function onConfirmed(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  isOwner: boolean,
): void {
  const effects = confirmedEffects(world, coordinator, decider, isOwner);
  grant(world, coordinator, decider, effects);
}

function grant(
  world: World,
  coordinator: SimCoordinator,
  decider: Decider,
  effects: readonly LeaseEffect[],
): void {
  const wait = (ref: number): void =>
    whenDurable(world, coordinator, decider, { type: "grant", ref });
  carryOutLeases(world, coordinator, decider, { effects, whenDurable: wait });
}
