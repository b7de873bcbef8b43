import type { MemberId, RaftState } from "@halon/raft";
import { type Invariant, violated } from "./invariant.ts";

/** I20: a leader that no majority has spoken to for the shortest election wait leads no more (RFC 0004, Roles). */
export function checkQuorum(): Invariant {
  /** By leader: the tick at which each other member was last heard. */
  const heard = new Map<MemberId, Map<MemberId, number>>();
  return {
    id: "I20",
    name: "check-quorum",
    afterStep(_world, { input, before, after }) {
      if (after.role !== "leader") return;
      const isNew = before.role !== "leader" || before.currentTerm !== after.currentTerm;
      const ticks = isNew ? new Map<MemberId, number>() : (heard.get(after.id) ?? new Map());
      heard.set(after.id, ticks);
      // Who has just been added has the whole wait before it.
      if (isNew || before.configuration !== after.configuration)
        for (const { id } of after.configuration.members)
          if (isNew || !before.configuration.members.some((member) => member.id === id))
            ticks.set(id, after.now);
      if (input.type === "receive") ticks.set(input.message.from, after.now);
      if (input.type !== "tick") return;
      const mult = Math.max(before.timeoutMult, after.timeoutMult);
      const silent = after.now - quorumTick(after, ticks);
      if (silent > after.options.electionTicksMin * mult)
        violated("I20", `${after.id} leads, and no majority has answered for ${silent} ticks`);
    },
  };
}

/** The latest tick since which a majority of each set of voters was heard. */
function quorumTick(
  { id: self, now, configuration }: RaftState,
  ticks: ReadonlyMap<MemberId, number>,
): number {
  const { voters, outgoing } = configuration;
  const majorities = [voters, outgoing].map((set) => {
    const sorted = set.map((id) => (id === self ? now : (ticks.get(id) ?? 0)));
    return sorted.sort((left, right) => right - left)[set.length >> 1] ?? now;
  });
  return Math.min(...majorities);
}
