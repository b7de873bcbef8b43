import type { Configuration, MemberChange } from "@halon/raft";
import { emptyDisk } from "../disk.ts";
import { feed } from "../feed.ts";
import { endMember, startMember } from "../lifecycle.ts";
import { leaderOf } from "../operator.ts";
import { emptySnapshot, type SimRequest } from "../process.ts";
import type { Wish } from "../scenario.ts";
import { eventKind, type SimMember, type World } from "../world.ts";
import { hasBeginners } from "./bootstrap-crash.ts";
import { isOpen } from "./links.ts";
import { clusterOf } from "./world.ts";

type ChangeMembers = Extract<Wish, { readonly type: "changeMembers" }>;

/** One change that somebody wants, and how far it is. */
export interface MemberTask {
  readonly wish: ChangeMembers;
  readonly sinceUs: number;
  /** Id of the one member that is to go; null: any that can be missed. */
  readonly named: string | null;
  /** Id of the member that was started for it. */
  added: string | null;
  isAdded: boolean;
  /** Id of the member that goes. */
  removed: string | null;
  /** What came of it; null while it goes on. */
  end: "done" | "learns" | "refused" | "late" | null;
}

/** People look at the list of members so often; µs. */
const lookUs = 400_000;
/** After this they leave it; µs. */
const patienceUs = 60_000_000;
const flushUs = 50;
const votersMax = 7;

const nobody: Configuration = { members: [], voters: [], outgoing: [], learners: [] };

/**
 * Operators who change the members of the agency with `halonctl agency member`, one thing after another.
 *
 * What they add is a member alone, as `halond agency --join` starts it: nothing on it can decide. So they see to it that
 * fewer of those vote than tracking nodes, and hand the lead on when one of them has it. A tracking node whose member is
 * removed ends for good.
 */
export class MemberDesk {
  readonly tasks: MemberTask[] = [];
  private looks = false;

  /** Somebody wants a change; `named`: of the member with this id. */
  wish(world: World, wish: ChangeMembers, named: string | null = null): void {
    const isAdded = wish.change === "remove";
    const fresh = { added: null, isAdded, removed: null, end: null };
    this.tasks.push({ wish, named, sinceUs: world.now, ...fresh });
    world.trace.note(world.now, `an operator wants to ${wish.change} a member`);
    if (this.looks) return;
    this.looks = true;
    this.look(world);
  }

  /** They look at the list of members, and ask for what comes next. */
  look(world: World): void {
    world.queue.push(world.now + lookUs, eventKind.wish, 0, 4, null);
    endRemoved(world);
    const leader = leaderOf(world);
    const configuration = leader?.process?.raft.configuration;
    if (leader === null || configuration === undefined) return;
    if (isAlone(world, leader)) {
      handOn(world, leader, configuration);
      return;
    }
    const task = this.tasks.find(({ end }) => end === null);
    if (task === undefined || configuration.outgoing.length > 0) return;
    const isOver = world.phase !== "faults" || world.now > task.sinceUs + patienceUs;
    if (isOver) task.end = "late";
    else step(world, leader, configuration, task);
  }
}

function step(world: World, leader: SimMember, now: Configuration, task: MemberTask): void {
  if (!task.isAdded) stepAdd(world, leader, now, task);
  else stepRemove(world, leader, now, task);
}

function stepAdd(world: World, leader: SimMember, now: Configuration, task: MemberTask): void {
  task.added ??= startAlone(world)?.id ?? null;
  const { added, wish } = task;
  if (added === null) {
    task.end = "refused";
    return;
  }
  const end = wish.change === "replace" ? null : "done";
  if (now.voters.includes(added)) {
    task.isAdded = true;
    task.end = end;
  } else if (!now.learners.includes(added))
    change(world, leader, { add: [{ id: added, address: `${added}:1`, voter: false }] });
  else if (mayVote(world, now)) change(world, leader, { promote: [added] });
  else task.end = "learns";
}

function stepRemove(world: World, leader: SimMember, now: Configuration, task: MemberTask): void {
  const { wish, added, named } = task;
  if (task.removed === null && named !== null) task.removed = named;
  if (task.removed === null) {
    const all = now.members.map(({ id }) => id).filter((id) => id !== added);
    const missed = all.filter((id) => canBeWithout(world, now, id));
    task.removed = missed[wish.pick % Math.max(1, missed.length)] ?? null;
  }
  const { removed } = task;
  if (removed === null) task.end = "refused";
  else if (!now.members.some(({ id }) => id === removed)) task.end = "done";
  else if (canBeWithout(world, now, removed)) change(world, leader, { remove: [removed] });
  else if (named !== null) task.end = "refused";
  else task.removed = null;
}

/** Whether a member alone may vote besides those that do: tracking nodes stay more. */
function mayVote(world: World, { voters }: Configuration): boolean {
  const alone = voters.filter((id) => isAloneId(world, id)).length;
  return voters.length < votersMax && alone + 1 < voters.length - alone;
}

/**
 * Whether enough voters stay that live, more of them on tracking nodes than not.
 *
 * A node that has not joined may know no other than the one that would go: it waits for that until a person names another.
 */
function canBeWithout(world: World, { voters }: Configuration, id: string): boolean {
  if (!isAloneId(world, id) && hasBeginners(world)) return false;
  const rest = voters.filter((other) => other !== id);
  if (rest.length < Math.min(3, voters.length)) return false;
  const alive = rest.filter((other) => world.members[slotOf(world, other)]?.status === "up");
  const alone = rest.filter((other) => isAloneId(world, other)).length;
  return 2 * alive.length > rest.length && alone < rest.length - alone;
}

/** Starts a member on a machine of its own, which waits to be added. */
function startAlone(world: World): SimMember | null {
  const { nodes } = clusterOf(world);
  const member = world.members.find(
    ({ slot, status }) => slot >= nodes.length && status === "absent",
  );
  if (member === undefined) return null;
  member.disk = emptyDisk(emptySnapshot(nobody));
  startMember(world, member);
  return member;
}

/** A member alone leads, and nobody can decide: a person hands the lead to a tracking node. */
function handOn(world: World, leader: SimMember, { voters }: Configuration): void {
  const to = voters.find((id) => {
    const member = world.members[slotOf(world, id)];
    const answers = member?.status === "up" && member.pausedUntil <= world.now;
    return answers && !isAloneId(world, id);
  });
  if (to !== undefined) ask(world, leader, { type: "transfer", to });
}

/** Who was removed while it was away is told so by a leader that it greets, and ends. */
function endRemoved(world: World): void {
  for (const member of world.members) {
    const { status, process, id, slot } = member;
    if (status !== "up" || process === null || process.raft.leaderId !== null) continue;
    if (!process.raft.configuration.members.some((one) => one.id === id)) continue;
    const isTold = world.members.some(({ slot: other, process: its, pausedUntil }) => {
      if (its?.raft.role !== "leader" || pausedUntil > world.now) return false;
      const { configuration, configurationIndex, commitIndex } = its.raft;
      const isKnown = configuration.members.some((one) => one.id === id);
      const isSure = configurationIndex <= commitIndex && !isKnown;
      return isSure && isOpen(world, slot, other) && isOpen(world, other, slot);
    });
    if (isTold) endMember(world, member, "removed", "prefix");
  }
}

function change(world: World, leader: SimMember, what: MemberChange): void {
  ask(world, leader, { type: "changeMembers", change: what });
}

function ask(world: World, leader: SimMember, request: SimRequest): void {
  world.trace.note(world.now, `an operator asks ${leader.id}: ${JSON.stringify(request)}`);
  feed(world, leader, { type: "request", id: -1, request });
  if (leader.isFlushDue || leader.status !== "up") return;
  leader.isFlushDue = true;
  const { slot, incarnation } = leader;
  world.queue.push(world.now + flushUs, eventKind.flush, slot, incarnation, null);
}

function isAlone(world: World, { slot }: SimMember): boolean {
  return slot >= clusterOf(world).nodes.length;
}

function isAloneId(world: World, id: string): boolean {
  return slotOf(world, id) >= clusterOf(world).nodes.length;
}

function slotOf(world: World, id: string): number {
  return world.slots.get(id) ?? -1;
}
