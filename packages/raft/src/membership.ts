import { assert } from "./assert.ts";
import type { Configuration, Member, MemberChange, MemberId } from "./configuration.ts";
import { decodeConfiguration } from "./configuration-codec.ts";
import type { Refusal } from "./effect.ts";
import { type Entry, entryKind } from "./entry.ts";
import type { ConfigurationAt, RaftState } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Most members that vote, and most that take part at all, both halves of a joint configuration together. */
export const votersMax = 7;
export const membersMax = 16;

/** The configuration as of `index`, for the snapshot at it; `index` is that of the log's snapshot or later. */
export function configurationAt(state: RaftState, index: number): Configuration {
  let found = state.configurations[0];
  for (const each of state.configurations) if (each.index <= index) found = each;
  assert(found !== undefined && found.index <= index, `no configuration is known at ${index}`);
  return found.configuration;
}

/** Whether two majorities are asked for. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** Whether it names this member, in whatever part. */
export function isMember(configuration: Configuration, id: MemberId): boolean {
  return configuration.members.some((member) => member.id === id);
}

/** The second step of a change: the old voters are left behind. */
export function leaveJoint(joint: Configuration): Configuration {
  const { voters, learners } = joint;
  const members = joint.members.filter(({ id }) => voters.includes(id) || learners.includes(id));
  return { members, voters, outgoing: [], learners };
}

/** The configuration that an entry holds, or null when it is of another kind. */
export function configurationIn(entry: Entry): Configuration | null {
  if (entry.data[0] !== entryKind.configuration) return null;
  const configuration = decodeConfiguration(entry.data.subarray(1));
  assert(configuration !== null, `entry ${entry.index} holds no configuration`);
  return configuration;
}

/** Makes these the configurations of the log; the last one counts from now on, committed or not (§6). */
export function setConfigurations(turn: Turn, configurations: readonly ConfigurationAt[]): void {
  const newest = configurations.at(-1);
  assert(newest !== undefined, "a log has a configuration");
  turn.state.configurations = configurations;
  turn.state.configuration = newest.configuration;
  turn.state.configurationIndex = newest.index;
}

/** Those that stay when the log is cut from `from` on. */
export function configurationsBefore(
  configurations: readonly ConfigurationAt[],
  from: number,
): readonly ConfigurationAt[] {
  return configurations.filter(({ index }) => index < from);
}

/** Those that a log needs that begins with a snapshot at `index`: the one in force there, and all later ones. */
export function configurationsFrom(
  configurations: readonly ConfigurationAt[],
  index: number,
): readonly ConfigurationAt[] {
  const inForce = configurations.findLastIndex((each) => each.index <= index);
  return configurations.slice(Math.max(inForce, 0));
}

/**
 * The configuration that a change leads to, or why it cannot be.
 *
 * When the voters stay as they are it is a simple one: no quorum changes. Every other change gives a joint one, whose
 * outgoing voters are those of now (§6). `lagOf` gives the entries that a learner lacks.
 */
export function changed(
  now: Configuration,
  change: MemberChange,
  lagOf: (id: MemberId) => number,
  promoteLagMax: number,
): Configuration | Refusal {
  const members = new Map(now.members.map((member) => [member.id, member]));
  const voters = new Set(now.voters);
  const learners = new Set(now.learners);
  for (const { id, address, voter } of change.add ?? []) {
    if (!members.has(id)) (voter ? voters : learners).add(id);
    members.set(id, { id, address });
  }
  for (const id of change.promote ?? []) {
    if (!members.has(id)) return "unknownMember";
    if (!learners.delete(id)) continue;
    if (lagOf(id) > promoteLagMax) return "behind";
    voters.add(id);
  }
  for (const id of change.remove ?? []) {
    if (!members.has(id)) return "unknownMember";
    voters.delete(id);
    learners.delete(id);
    // A voter that leaves stays a member until the joint configuration is left.
    if (!now.voters.includes(id)) members.delete(id);
  }
  if (voters.size === 0) return "lastVoter";
  if (voters.size > votersMax || members.size > membersMax) return "tooMany";
  const next: Configuration = {
    members: [...members.values()].sort((a, b) => compareIds(a.id, b.id)),
    voters: [...voters].sort(compareIds),
    outgoing: sameIds(now.voters, voters) ? [] : now.voters,
    learners: [...learners].sort(compareIds),
  };
  return isSame(now, next) ? "nothingToDo" : next;
}

function compareIds(a: MemberId, b: MemberId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sameIds(list: readonly MemberId[], set: ReadonlySet<MemberId>): boolean {
  return list.length === set.size && list.every((id) => set.has(id));
}

function isSame(a: Configuration, b: Configuration): boolean {
  const isSameMember = (member: Member, at: number) =>
    b.members[at]?.id === member.id && b.members[at]?.address === member.address;
  return (
    b.outgoing.length === 0 &&
    sameIds(a.voters, new Set(b.voters)) &&
    sameIds(a.learners, new Set(b.learners)) &&
    a.members.length === b.members.length &&
    a.members.every(isSameMember)
  );
}

/** Why no change of members can be made now; null when one can (thesis §4.1 and its erratum of 2015). */
export function changeRefusal(state: RaftState, termOfCommit: number | null): Refusal | null {
  if (state.role !== "leader") return "notLeader";
  if (state.transferTo !== null) return "transferring";
  const isPending = state.configurationIndex > state.commitIndex || isJoint(state.configuration);
  return isPending || termOfCommit !== state.currentTerm ? "changePending" : null;
}
