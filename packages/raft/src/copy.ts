import type { Progress, RaftState } from "./state.ts";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

// Written out: a spread of as many fields takes twenty times as long, and one of these is made in every step.

/** The same state, to be changed by whoever asked for it. */
export function copyState(state: RaftState): Mutable<RaftState> {
  return {
    id: state.id,
    options: state.options,
    role: state.role,
    currentTerm: state.currentTerm,
    votedFor: state.votedFor,
    leaderId: state.leaderId,
    log: state.log,
    commitIndex: state.commitIndex,
    configuration: state.configuration,
    configurationIndex: state.configurationIndex,
    now: state.now,
    timeoutMult: state.timeoutMult,
    progress: state.progress,
    transferTo: state.transferTo,
    installing: state.installing,
    configurations: state.configurations,
    random: state.random,
    heardTick: state.heardTick,
    waitSince: state.waitSince,
    waitTicks: state.waitTicks,
    ownMult: state.ownMult,
    askedMult: state.askedMult,
    askedTick: state.askedTick,
    votes: state.votes,
    ticket: state.ticket,
    durableTicket: state.durableTicket,
    hardStateTicket: state.hardStateTicket,
    pending: state.pending,
    incoming: state.incoming,
    round: state.round,
    heartbeatTick: state.heartbeatTick,
    uncommittedBytes: state.uncommittedBytes,
    transferSince: state.transferSince,
    readsWaiting: state.readsWaiting,
    readsOut: state.readsOut,
    readSequence: state.readSequence,
    leaseRound: state.leaseRound,
    leaseRoundTick: state.leaseRoundTick,
    leaseUntil: state.leaseUntil,
    leaseVoid: state.leaseVoid,
  };
}

/** The same progress, to be changed by whoever asked for it. */
export function copyProgress(progress: Progress): Mutable<Progress> {
  return {
    matchIndex: progress.matchIndex,
    nextIndex: progress.nextIndex,
    mode: progress.mode,
    inflight: progress.inflight,
    snapshot: progress.snapshot,
    snapshotOffset: progress.snapshotOffset,
    snapshotRound: progress.snapshotRound,
    round: progress.round,
    ackTick: progress.ackTick,
    appendTick: progress.appendTick,
    guestUntil: progress.guestUntil,
  };
}
