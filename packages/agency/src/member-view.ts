import { applyEntry, emptyKv, type KvState } from "@halon/kv";
import { entriesOf } from "@halon/raft";
import { commandText, findTransaction, isCommand, loggedFrom } from "./core/log-view.ts";
import type { LoggedTransaction } from "./core/logged.ts";
import type { Replica } from "./core/replica.ts";
import type { Member } from "./member.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** What a member holds, to look at. */
export function viewOf(replica: Replica | null): Member["view"] {
  if (replica === null) {
    const empty: Iterable<LoggedTransaction> = [];
    const at = (): KvState => emptyKv;
    return {
      committed: emptyKv,
      sequenced: null,
      transient: emptyKv,
      logTime: 0,
      log: () => empty,
      at,
    };
  }
  const { committed, sequenced, transient, logTime, raft, appliedIndex } = replica;
  return {
    committed,
    sequenced,
    transient,
    logTime,
    log: () => loggedFrom(raft.log, appliedIndex, 0, decode),
    at: (index) => stateAt(replica, index),
  };
}

/** The tree as of a transaction: the last snapshot that is older, and the entries after it. */
function stateAt({ raft, appliedIndex, committed, bases }: Replica, index: number): KvState {
  if (index >= committed.index) return committed;
  const base = bases.findLast(({ state }) => state.index <= index) ?? bases[0];
  if (base === undefined) return committed;
  let { state } = base;
  const last = findTransaction(raft.log, appliedIndex, index);
  if (last === null) return state;
  for (let at = Math.max(base.index + 1, raft.log.firstIndex); at <= last; at++) {
    const [entry] = entriesOf(raft.log, at, at);
    if (entry === undefined || !isCommand(entry)) continue;
    state = applyEntry(state, commandText(entry, decode), index).state;
  }
  return state;
}
