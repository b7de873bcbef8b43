import { type Invariant, violated } from "./invariant.ts";

/**
 * I9, I15: a write is answered when it is committed; a read at an index that includes every write answered before the
 * read was asked (Raft §8).
 */
export function freshAnswers(): Invariant {
  return {
    id: "I15",
    name: "answers rest on committed state",
    onAnswer({ ledger }, member, operation, answer) {
      if (answer.type !== "ok" && answer.type !== "failed") return;
      const applied = member.process?.appliedIndex ?? 0;
      if (operation.type === "read") {
        if (applied < operation.acknowledgedIndex)
          violated(
            "I15",
            `${member.id} reads at ${applied}; ${operation.acknowledgedIndex} was answered before`,
          );
        return;
      }
      if (applied > ledger.committedIndex)
        violated("I9", `${member.id} answers at ${applied}; committed is ${ledger.committedIndex}`);
      ledger.acknowledgedIndex = Math.max(ledger.acknowledgedIndex, applied);
    },
    atEnd({ ledger, members }) {
      for (const { id, process, status } of members)
        if (status === "up" && process?.raft.role === "leader") {
          if (process.appliedIndex < ledger.acknowledgedIndex)
            violated("I9", `${id} ends at ${process.appliedIndex} of ${ledger.acknowledgedIndex}`);
        }
    },
  };
}
