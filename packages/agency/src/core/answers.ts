import { dumpTree, inquire, type KvState, readTransactions } from "@halon/kv";
import type { RaftLog, Refusal } from "@halon/raft";
import { type Decode, firstKept, loggedFrom, pollText } from "./log-view.ts";
import type { AgencyAnswer } from "./request.ts";
import type { Finish } from "./waiting.ts";

/** What the answers of a leader rest on. */
export interface View {
  readonly log: RaftLog;
  readonly appliedIndex: number;
  readonly committed: KvState;
  readonly sequenced: KvState;
  /** Log time now, ms. */
  readonly logTime: number;
  readonly decode: Decode;
}

/** The answer to a request whose wait is over; null for a poll that goes on waiting. */
export function finished(finish: Finish, view: View): AgencyAnswer | null {
  switch (finish.type) {
    case "answer":
      return finish.answer;
    case "read": {
      const text = readTransactions(view.committed, finish.transactions, view.logTime);
      if (text === null) return tooLong;
      return { type: "json", status: 200, text };
    }
    case "inquire":
      return inquireAnswer(inquire(view.committed, finish.ids), false);
    case "inquireNow": {
      const results = inquire(view.sequenced, finish.ids);
      return inquireAnswer(
        results,
        results.some((index) => index > view.committed.index),
      );
    }
    case "poll":
      return pollAnswer(finish.index, view);
  }
}

/** The answer to a poll whose time is over. */
export function latePoll(index: number, committed: KvState): AgencyAnswer {
  return { type: "json", status: 200, text: pollText([], index, committed.index) };
}

/** A refusal in words. */
export function refusedAnswer(reason: Refusal): AgencyAnswer {
  return { type: "refused", reason, message: refusals[reason] };
}

const tooLong: AgencyAnswer = {
  type: "json",
  status: 413,
  text: '{"message":"The answer is longer than 256 MiB; read less at once."}',
};

function inquireAnswer(results: readonly number[], isOngoing: boolean): AgencyAnswer {
  const ongoing = isOngoing ? ',"ongoing":true' : "";
  const status = results.includes(0) ? 404 : 200;
  return {
    type: "json",
    status,
    text: `{"results":[${results.join(",")}],"inquired":true${ongoing}}`,
  };
}

function pollAnswer(index: number, view: View): AgencyAnswer | null {
  const { log, appliedIndex, committed, decode } = view;
  if (index > committed.index) return null;
  if (index < 1 || index < firstKept(log, appliedIndex, committed)) {
    const tree = dumpTree(committed, view.logTime);
    const result = `{"commitIndex":${committed.index},"firstIndex":0,"readDB":${tree}}`;
    return { type: "json", status: 200, text: `{"result":${result}}` };
  }
  const text = pollText(loggedFrom(log, appliedIndex, index, decode), index, committed.index);
  return { type: "json", status: 200, text };
}

const refusals: Readonly<Record<Refusal, string>> = {
  notLeader: "This member does not lead.",
  transferring: "Leadership is being handed over; try again.",
  full: "Too much waits for commit; try again.",
  changePending: "Another change of members is not finished; try again.",
  unknownMember: "There is no such member.",
  lastVoter: "An agency needs at least one voter.",
  tooMany: "An agency has at most seven voters and sixteen members.",
  behind: "This member has not caught up yet; try again.",
  nothingToDo: "It is so already.",
};
