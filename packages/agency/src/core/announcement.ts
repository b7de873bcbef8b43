import type { RaftState } from "@halon/raft";

/** Operations that make `/.agency` say who leads, and with whom; equal when nothing of it has changed. */
export function announcementOf(raft: RaftState, agencySize: number): string {
  const { configuration } = raft;
  const value = {
    term: raft.currentTerm,
    id: raft.id,
    active: configuration.voters,
    pool: Object.fromEntries(configuration.members.map(({ id, address }) => [id, address])),
    size: agencySize,
    timeoutMult: raft.timeoutMult,
  };
  return JSON.stringify({ "/.agency": { op: "set", new: value } });
}
