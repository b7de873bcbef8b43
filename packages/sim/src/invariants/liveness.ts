import type { World } from "../world.ts";
import { type Invariant, violated } from "./invariant.ts";

/** I20: after the healing there is one leader, all its members are at its commit, and every request has ended. */
export function liveness(): Invariant {
  return {
    id: "I20",
    name: "liveness",
    atEnd(world) {
      const missing = whatIsMissing(world);
      if (missing !== null) violated("I20", missing);
    },
  };
}

/** Why the run cannot end yet; null when all is as it should be at the end. */
export function whatIsMissing(world: World): string | null {
  const leaders = world.members.filter(
    ({ status, process }) => status === "up" && process?.raft.role === "leader",
  );
  const [leader] = leaders;
  if (leader === undefined || leader.process === null) return "there is no leader";
  if (leaders.length > 1) return `${leaders.map(({ id }) => id).join(" and ")} lead`;
  const { raft } = leader.process;
  if (raft.configuration.outgoing.length > 0) return "the configuration is joint";
  for (const id of [...raft.configuration.voters, ...raft.configuration.learners]) {
    const member = world.members[world.slots.get(id) ?? -1];
    if (member?.status !== "up") continue;
    if (member.process?.appliedIndex !== raft.log.lastIndex)
      return `${id} has applied ${member.process?.appliedIndex} of ${raft.log.lastIndex}`;
  }
  for (const operation of world.operations)
    if (!operation.isDone) return `request ${operation.id} has not ended`;
  for (const { id, status, process } of world.members)
    if (status === "up" && process !== null && process.waitingCount > 0)
      return `${process.waitingCount} requests wait at ${id}`;
  return null;
}
