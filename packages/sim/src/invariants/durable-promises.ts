import type { Message } from "@halon/raft";
import { type Disk, holdsDurably } from "../disk.ts";
import { shadowTermAt } from "../ledger.ts";
import { type Invariant, violated } from "./invariant.ts";

/** I8: what a message promises is durable at its sender when the network gets it (Raft §5.2, §5.3). */
export function durablePromises(): Invariant {
  return {
    id: "I8",
    name: "promises are durable",
    beforeSend(_world, { id, disk, shadow }, _incarnation, message) {
      switch (message.type) {
        case "voteResponse":
          if (message.granted && !message.preVote && !isVoteDurable(disk, message, message.to))
            violated("I8", `${id} grants a vote in term ${message.term} that is not durable`);
          return;
        case "requestVote":
          if (!message.preVote && !isVoteDurable(disk, message, id))
            violated("I8", `${id} campaigns in term ${message.term} before its vote is durable`);
          return;
        case "appendResponse": {
          const index = message.matchIndex;
          if (index === null) return;
          const term = shadowTermAt(shadow, index);
          // What was acknowledged may be on its way out: a snapshot or another leader's entries take its place. Then
          // it is enough that something stands there; I11 sees whether the right leader counts it.
          const isDurable =
            term === null || isReplaced(disk, index)
              ? isCovered(disk, index)
              : holdsDurably(disk, index, term);
          if (!isDurable) violated("I8", `${id} acknowledges entry ${index} that is not durable`);
          return;
        }
        case "snapshotResponse":
          if (message.installed && !isCovered(disk, message.index))
            violated("I8", `${id} acknowledges a snapshot at ${message.index} that is not durable`);
      }
    },
  };
}

function isVoteDurable({ hardState }: Disk, message: Message, candidate: string): boolean {
  if (hardState.term > message.term) return true;
  return hardState.term === message.term && hardState.votedFor === candidate;
}

function isCovered(disk: Disk, index: number): boolean {
  return disk.snapshot.meta.index >= index || disk.firstIndex + disk.entries.length > index;
}

function isReplaced({ pending }: Disk, index: number): boolean {
  return pending.some(
    (write) =>
      write.type === "persist" && write.truncateFrom !== null && write.truncateFrom <= index,
  );
}
