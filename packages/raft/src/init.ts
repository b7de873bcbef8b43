import type { Configuration, MemberId } from "./configuration.ts";
import { logFound } from "./log.ts";
import { configurationIn } from "./membership.ts";
import { firstRandom, nextRandom } from "./random.ts";
import type { ConfigurationAt, Found, RaftLog, RaftOptions, RaftState } from "./state.ts";
import { longAgo } from "./turn.ts";
import { itemAt, lengthOf, vectorOf } from "./vector.ts";

/** What a member starts from. */
export interface Start {
  readonly id: MemberId;
  readonly options: RaftOptions;
  /** 32 bits, another at each start: timeouts and the ids of forwarded reads come from it. */
  readonly seed: number;
  /** Null: a first start. */
  readonly found: Found | null;
  /** Of a first start: the configuration at index 0; empty for a member that waits to be added. */
  readonly configuration: Configuration;
}

/** A member as it starts: a follower that knows what its disk holds. */
export function init({ id, options, seed, found, configuration }: Start): RaftState {
  const snapshot = found?.snapshot ?? { index: 0, term: 0, configuration };
  const log = logFound(snapshot, found?.entries ?? []);
  const configurations = configurationsIn(log);
  const newest = configurations.at(-1);
  const [value, random] = nextRandom(firstRandom(id, seed));
  const { electionTicksMin, electionTicksMax } = options;
  return {
    id,
    options,
    role: "follower",
    currentTerm: found?.hardState.term ?? 0,
    votedFor: found?.hardState.votedFor ?? null,
    leaderId: null,
    log,
    commitIndex: snapshot.index,
    configuration: newest?.configuration ?? snapshot.configuration,
    configurationIndex: newest?.index ?? snapshot.index,
    now: 0,
    timeoutMult: 1,
    progress: new Map(),
    transferTo: null,
    installing: null,
    configurations,
    random,
    // A lease may count on a word that this member gave before it was started again.
    heardTick: options.leaseDrift === null ? longAgo : 0,
    waitSince: 0,
    waitTicks: electionTicksMin + (value % (electionTicksMax - electionTicksMin + 1)),
    ownMult: 1,
    askedMult: 1,
    askedTick: 0,
    votes: new Map(),
    ticket: 0,
    durableTicket: 0,
    hardStateTicket: 0,
    pending: vectorOf([]),
    incoming: null,
    round: 0,
    heartbeatTick: 0,
    uncommittedBytes: 0,
    transferSince: 0,
    readsWaiting: vectorOf([]),
    readsOut: null,
    readSequence: (seed >>> 0) * 2 ** 20,
    leaseRound: -1,
    leaseRoundTick: 0,
    leaseUntil: longAgo,
    leaseVoid: false,
  };
}

/** A configuration counts whether it is committed or not (§6), so those of the entries count too. */
function configurationsIn(log: RaftLog): readonly ConfigurationAt[] {
  const { index, configuration } = log.snapshot;
  const found: ConfigurationAt[] = [{ index, configuration }];
  for (let at = 0; at < lengthOf(log.items); at += 1) {
    const entry = itemAt(log.items, at);
    if (entry === undefined || entry.index <= index) continue;
    const each = configurationIn(entry);
    if (each !== null) found.push({ index: entry.index, configuration: each });
  }
  return found;
}
