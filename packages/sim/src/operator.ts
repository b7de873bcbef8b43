import type { Configuration, MemberChange } from "@halon/raft";
import { emptyDisk } from "./disk.ts";
import { feed } from "./feed.ts";
import { startMember } from "./lifecycle.ts";
import { emptySnapshot, type SimRequest } from "./process.ts";
import { eventKind, type SimMember, type World } from "./world.ts";

const votersMax = 7;
const periodUs = 400_000;

const nobody: Configuration = { members: [], voters: [], outgoing: [], learners: [] };

/** The member that leads in the highest term, as an operator would find it; null when none does. */
export function leaderOf(world: World): SimMember | null {
  let leader: SimMember | null = null;
  for (const member of world.members) {
    const raft = member.process?.raft;
    if (member.status !== "up" || raft?.role !== "leader") continue;
    if (member.pausedUntil > world.now) continue;
    if (leader === null || raft.currentTerm > (leader.process?.raft.currentTerm ?? 0))
      leader = member;
  }
  return leader;
}

/** Whether every configuration that may count keeps a majority of living voters without the member of this slot. */
export function canLose(world: World, slot: number): boolean {
  for (const { voters, outgoing } of world.configurations)
    for (const set of [voters, outgoing]) {
      if (set.length === 0) continue;
      const alive = set.filter((id) => {
        const member = world.members[world.slots.get(id) ?? -1];
        return member !== undefined && member.slot !== slot && isAlive(member);
      });
      if (2 * alive.length <= set.length) return false;
    }
  return true;
}

function isAlive({ status, disk }: SimMember): boolean {
  return status !== "dead" && status !== "removed" && !disk.isDamaged;
}

/** Starts a new machine that waits to be added; null when there is no place left. */
export function startStranger(world: World): SimMember | null {
  const member = world.members.find(({ status }) => status === "absent");
  if (member === undefined) return null;
  member.disk = emptyDisk(emptySnapshot(nobody));
  startMember(world, member);
  return member;
}

function ask(world: World, request: SimRequest): void {
  const leader = leaderOf(world);
  if (leader === null) return;
  world.trace.note(world.now, `the operator asks ${leader.id}: ${JSON.stringify(request)}`);
  feed(world, leader, { type: "request", id: -1, request });
}

function change(world: World, what: MemberChange): void {
  ask(world, { type: "changeMembers", change: what });
}

export function addLearner(world: World): SimMember | null {
  if (leaderOf(world) === null) return null;
  const member = startStranger(world);
  if (member === null) return null;
  change(world, { add: [{ id: member.id, address: `${member.id}:1`, voter: false }] });
  return member;
}

/** Lets the learners vote, as far as there is room for voters. */
export function promote(world: World): void {
  const configuration = leaderOf(world)?.process?.raft.configuration;
  if (configuration === undefined || configuration.learners.length === 0) return;
  const room = votersMax - configuration.voters.length;
  if (room > 0) change(world, { promote: configuration.learners.slice(0, room) });
}

/** Takes a member away, when enough voters stay that are alive. */
export function remove(world: World, member: SimMember): void {
  const configuration = leaderOf(world)?.process?.raft.configuration;
  if (configuration === undefined || !canBeWithout(world, configuration, member)) return;
  change(world, { remove: [member.id] });
}

function canBeWithout(world: World, from: Configuration, member: SimMember): boolean {
  const voters = from.voters.filter((id) => id !== member.id);
  if (voters.length < Math.min(3, from.voters.length)) return false;
  const alive = voters.filter((id) => {
    const other = world.members[world.slots.get(id) ?? -1];
    return other !== undefined && isAlive(other);
  });
  return 2 * alive.length > voters.length;
}

/** Adds a new member that will take the place of another when it has caught up. */
export function replace(world: World, member: SimMember): boolean {
  const added = addLearner(world);
  if (added !== null) world.replacements.push({ id: added.id, replaced: member.id });
  return added !== null;
}

export function transfer(world: World, member: SimMember): void {
  ask(world, { type: "transfer", to: member.id });
}

/** What the operator does again and again: replaces the damaged, and finishes replacements. */
export function onOperator(world: World): void {
  if (world.phase !== "faults") return;
  world.queue.push(world.now + periodUs, eventKind.operator, 0, 0, null);
  const slot = world.toReplace[0];
  const damaged = slot === undefined ? undefined : world.members[slot];
  if (damaged !== undefined && replace(world, damaged)) world.toReplace.shift();
  const configuration = leaderOf(world)?.process?.raft.configuration;
  const next = world.replacements[0];
  if (configuration === undefined || next === undefined) return;
  if (configuration.learners.includes(next.id)) {
    const isThere = configuration.members.some(({ id }) => id === next.replaced);
    change(world, {
      promote: [next.id],
      ...(isThere ? { remove: [next.replaced] } : {}),
    });
    return;
  }
  const isDone = configuration.voters.includes(next.id);
  const isKnown = configuration.members.some(({ id }) => id === next.id);
  if (isDone || world.members[world.slots.get(next.id) ?? -1]?.status !== "up")
    world.replacements.shift();
  else if (!isKnown)
    change(world, { add: [{ id: next.id, address: `${next.id}:1`, voter: false }] });
}
