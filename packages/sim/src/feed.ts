import { decodeMessage } from "@halon/raft";
import { onClientAnswer } from "./clients.ts";
import { applyWrite } from "./disk.ts";
import { perform, sendMessage } from "./effects.ts";
import { violated } from "./invariants/invariant.ts";
import {
  crashMember,
  endMember,
  retryFullUs,
  scheduleHost,
  scheduleStart,
  scheduleTick,
  textOf,
} from "./lifecycle.ts";
import { checksumOf } from "./network.ts";
import type { ProcessInput } from "./process.ts";
import type { CrashMoment } from "./scenario.ts";
import type { SimMember, World } from "./world.ts";

/** The member's own monotonic clock, in ms since the process began. */
export function clockMs(world: World, member: SimMember): number {
  return Math.floor(((world.now - member.startedAt) * member.clockRate) / 1_000_000);
}

/** Gives a process one input, lets the invariants look, and carries out what it asks for. */
export function feed(world: World, member: SimMember, input: ProcessInput): void {
  const { process } = member;
  if (process === null) return;
  const incarnation = member.incarnation;
  const step = world.observed;
  step.member = member;
  step.input = input;
  step.before = process.raft;
  try {
    step.effects = process.step(input);
  } catch (error) {
    violated("I19", `${member.id} ended with ${textOf(error)} on ${input.type}`);
  }
  step.after = process.raft;
  const { after, effects } = step;
  world.trace.step(world.now, input, after, effects);
  addToHash(world, member);
  for (const invariant of world.invariants.afterStep) invariant.afterStep?.(world, step);
  countStep(world);
  process.host?.seen();
  for (const effect of effects) {
    if (member.incarnation !== incarnation) return;
    perform(world, member, effect);
  }
  world.cluster?.hooks.memberStepped(world, member);
  crashWhenPrepared(world, member);
}

function addToHash({ trace, observed }: World, member: SimMember): void {
  const { after, effects } = observed;
  trace.add(member.slot);
  trace.add(after.currentTerm);
  trace.add(after.log.lastIndex);
  trace.add(after.commitIndex);
  trace.add(effects.length);
  const host = member.process?.host ?? null;
  if (host !== null) trace.add(host.chain);
}

function countStep(world: World): void {
  const { counters, observed } = world;
  const { before, after, input, effects } = observed;
  if (before.role !== after.role) {
    if (after.role === "leader") counters.elections += 1;
    if (before.role === "candidate" && after.role === "preCandidate") counters.voteSplit += 1;
  }
  if (input.type === "receive") {
    const { message } = input;
    if (message.type === "timeoutNow") counters.leaderTransfers += 1;
    if (message.type === "voteResponse" && message.preVote && !message.granted)
      counters.preVoteRejection += 1;
  }
  if (after.configuration !== before.configuration && after.role === "leader") {
    counters.membersChanged += 1;
    world.configurations.push(after.configuration);
    if (world.configurations.length > 4) world.configurations.shift();
    if (world.activeCuts > 0) counters.changeUnderPartition += 1;
  }
  for (const effect of effects)
    if (effect.type === "persist" && effect.truncateFrom !== null) {
      if (before.log.lastIndex - effect.truncateFrom >= 9) counters.truncationOfTen += 1;
    }
  if (observed.member.process?.host) countHost(world);
}

function countHost({ counters, observed, ledger }: World): void {
  const { before, input, effects, member } = observed;
  const host = member.process?.host ?? null;
  if (host === null) return;
  if (input.type === "campaign" && before.role === "leader") counters.leaderCampaigns += 1;
  const isSaving = member.disk.pending.some(({ type }) => type === "save");
  if (input.type === "hostTurn" && isSaving && host.askedSnapshots > 1)
    counters.hostSnapshotWhileSaving += 1;
  if (input.type === "snapshotInstalled" && host.loaded.some(({ position }) => position > 0))
    counters.hostStateInstalled += 1;
  for (const effect of effects)
    if (effect.type === "hostAppended") {
      if (effect.answer.type === "committed") counters.hostAppends += 1;
      if (effect.answer.type === "lostLeadership") counters.hostAppendUnknown += 1;
    } else if (effect.type === "hostAsks") {
      const { epoch } = effect.question;
      const leads = before.role === "leader" && before.currentTerm === epoch;
      if (leads && ledger.ledTerm > epoch) counters.supersededLeaderAsked += 1;
    } else if (effect.type === "hostAnswered" && effect.leads) counters.leadConfirmed += 1;
}

export function onTick(world: World, member: SimMember): void {
  member.timers -= 1;
  scheduleTick(world, member);
  feed(world, member, { type: "tick", ms: clockMs(world, member) });
}

/** A host does what it wants to do, and comes again. */
export function onHostTurn(world: World, member: SimMember): void {
  const host = member.process?.host ?? null;
  if (host === null) return;
  scheduleHost(world, member, host.pauseUs());
  world.hostTurns += 1;
  const isHealing = world.phase !== "faults";
  feed(world, member, { type: "hostTurn", nonce: world.hostTurns, isHealing });
}

/** The oldest write is done. */
export function onDiskDone(world: World, member: SimMember): void {
  const { disk, incarnation } = member;
  if (disk.isFull) {
    onDiskFull(world, member);
    return;
  }
  const done = disk.pending.shift();
  if (done === undefined) throw new Error(`nothing to write at ${member.id}`);
  applyWrite(disk, done);
  if (disk.hardState.term > member.durableTerm) member.durableTerm = disk.hardState.term;
  if (done.type === "compact") return;
  if (done.type === "save") {
    const type = done.fails ? "snapshotFailed" : "snapshotSaved";
    feed(world, member, { type, snapshot: done.snapshot });
    return;
  }
  for (const message of done.whenDurable) sendMessage(world, member, incarnation, message);
  if (done.type === "persist") {
    feed(world, member, { type: "persisted", ticket: done.ticket });
    return;
  }
  world.counters.snapshotInstalled += 1;
  feed(world, member, { type: "snapshotInstalled", snapshot: done.snapshot });
}

/** Nothing more can be promised: waiting clients are told, then the process waits for room. */
function onDiskFull(world: World, member: SimMember): void {
  const { process } = member;
  world.counters.diskFull += 1;
  world.trace.note(world.now, `the disk of ${member.id} is full`);
  if (process !== null)
    for (const effect of process.step({ type: "stepDown" }))
      if (effect.type === "answer") onClientAnswer(world, member, effect.id, effect.answer);
  endMember(world, member, "full", "prefix");
  scheduleStart(world, member, retryFullUs);
}

/** A message has arrived at `to`. */
export function onDeliver(world: World, to: SimMember, checksum: number, bytes: Uint8Array): void {
  if (world.network.settings.corrupt > 0 && checksumOf(bytes) !== checksum) return;
  const message = decodeMessage(bytes);
  if (message === null) {
    violated("I19", `${to.id} cannot read what was sent to it`);
    return;
  }
  world.trace.add(bytes.length);
  feed(world, to, { type: "receive", message });
}

function crashWhenPrepared(world: World, member: SimMember): void {
  if (world.prepared.length === 0 || member.status !== "up") return;
  const at = world.prepared.findIndex(({ moment }) => isMoment(world, moment));
  const crash = world.prepared[at];
  if (crash === undefined) return;
  world.prepared = world.prepared.filter((other) => other !== crash);
  crashMember(world, member, crash.forUs, crash.tail);
}

function isMoment({ observed }: World, moment: CrashMoment): boolean {
  const { before, after, effects, input } = observed;
  switch (moment) {
    case "elected":
      return before.role !== "leader" && after.role === "leader";
    case "snapshotArriving":
      return effects.some(({ type }) => type === "receiveSnapshot" || type === "installSnapshot");
    case "writing":
      return effects.some((effect) => effect.type === "persist" && effect.entries.length > 1);
    case "truncating":
      return effects.some((effect) => effect.type === "persist" && effect.truncateFrom !== null);
    case "changing":
      return after.role === "leader" && after.configuration !== before.configuration;
    case "compacting":
      return input.type === "snapshotSaved" || effects.some(({ type }) => type === "takeSnapshot");
  }
}
