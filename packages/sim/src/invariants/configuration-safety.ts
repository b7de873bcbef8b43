import { type Configuration, decodeConfiguration, entryKind } from "@halon/raft";
import { type Invariant, violated } from "./invariant.ts";

/**
 * I10: one change of members at a time, and majorities of configurations that follow each other intersect (Raft §6).
 *
 * Looked at where a leader appends a configuration: the one before it must be committed, and the step from it must be
 * joint, out of joint, or without a change of voters.
 */
export function configurationSafety(): Invariant {
  return {
    id: "I10",
    name: "configurations",
    afterStep(_world, { member, before, after, effects }) {
      if (after.role !== "leader") return;
      let previous = before.configuration;
      let previousIndex = before.configurationIndex;
      for (const effect of effects) {
        if (effect.type !== "persist") continue;
        for (const entry of effect.entries) {
          if (entry.data[0] !== entryKind.configuration) continue;
          const next = decodeConfiguration(entry.data.subarray(1));
          if (next === null) violated("I10", `${member.id} appends a configuration out of shape`);
          if (previousIndex > after.commitIndex)
            violated("I10", `${member.id} changes members while ${previousIndex} is not committed`);
          const wrong = stepWrong(previous, next);
          if (wrong !== null) violated("I10", `${member.id}, entry ${entry.index}: ${wrong}`);
          previous = next;
          previousIndex = entry.index;
        }
      }
    },
  };
}

function stepWrong(from: Configuration, to: Configuration): string | null {
  if (to.voters.length === 0) return "no voters";
  for (const id of to.learners) if (to.voters.includes(id)) return `${id} both votes and learns`;
  if (from.outgoing.length > 0 && to.outgoing.length === 0)
    return isSame(from.voters, to.voters)
      ? null
      : "a joint configuration is left with other voters";
  if (from.outgoing.length > 0) return "a joint configuration follows a joint one";
  if (to.outgoing.length > 0)
    return isSame(to.outgoing, from.voters) ? null : "the joint configuration has other old voters";
  return isSame(from.voters, to.voters) ? null : "voters change in one step";
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((id, i) => id === right[i]);
}
