import { type Invariant, violated } from "./invariant.ts";

/**
 * I7: a term that was durable is never gone back behind; a vote changes only with the term, also across restarts. A
 * pre-vote changes neither, so that who returns from a partition deposes nobody (thesis §9.6).
 */
export function termMonotonic(): Invariant {
  /** Member and term → whom its vote went to. */
  const votes = new Map<string, string>();
  return {
    id: "I7",
    name: "terms and votes",
    afterStep(_world, { member, input, before, after }) {
      if (after.currentTerm < before.currentTerm)
        violated("I7", `${member.id}: term from ${before.currentTerm} to ${after.currentTerm}`);
      if (
        after.currentTerm === before.currentTerm &&
        before.votedFor !== null &&
        after.votedFor !== before.votedFor
      )
        violated(
          "I7",
          `${member.id}: vote from ${before.votedFor} to ${after.votedFor} in term ${after.currentTerm}`,
        );
      const isAsked = input.type === "receive" && input.message.type === "requestVote";
      const isChanged =
        after.currentTerm !== before.currentTerm || after.votedFor !== before.votedFor;
      if (isAsked && input.message.preVote && isChanged)
        violated("I7", `${member.id}: a pre-vote changes its term or its vote`);
    },
    beforeSend(_world, member, _incarnation, message) {
      const isGrant = message.type === "voteResponse" && message.granted && !message.preVote;
      const isCandidacy = message.type === "requestVote" && !message.preVote;
      if (!isGrant && !isCandidacy) return;
      const candidate = isGrant ? message.to : message.from;
      const key = `${member.id} ${message.term}`;
      const other = votes.get(key);
      if (other !== undefined && other !== candidate)
        violated(
          "I7",
          `${member.id} votes for ${candidate} in term ${message.term}, and did for ${other}`,
        );
      votes.set(key, candidate);
    },
    onStart(_world, member) {
      if (member.disk.hardState.term < member.durableTerm)
        violated(
          "I7",
          `${member.id} starts in term ${member.disk.hardState.term} after ${member.durableTerm}`,
        );
    },
  };
}
