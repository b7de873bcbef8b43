import type { Configuration, MemberChange } from "./configuration.ts";
import type { Effect } from "./effect.ts";
import { type Entry, entryKind } from "./entry.ts";
import type { Input } from "./input.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot.ts";
import type { RaftState } from "./state.ts";

/** One stable line about a message: `a→b append term=2 prev=4/1 entries=5/2 commit=4 round=0`. */
export function describeMessage(message: Message): string {
  const { from, to, type, term } = message;
  const isPreVote =
    (message.type === "requestVote" || message.type === "voteResponse") && message.preVote;
  return `${from}→${to} ${type}${isPreVote ? " preVote" : ""} term=${term}${contentOf(message)}`;
}

function contentOf(message: Message): string {
  switch (message.type) {
    case "requestVote": {
      const last = ` last=${message.lastIndex}/${message.lastTerm}`;
      return message.transfer ? `${last} transfer` : last;
    }
    case "voteResponse":
      return message.granted ? " granted" : " refused";
    case "append":
      return (
        ` prev=${message.prevIndex}/${message.prevTerm} entries=${describeEntries(message.entries)}` +
        ` commit=${message.commitIndex} round=${message.round}`
      );
    case "appendResponse":
      if (message.matchIndex !== null) return ` match=${message.matchIndex} round=${message.round}`;
      return (
        ` refused=${message.rejectedIndex} hint=${message.hintIndex}/${message.hintTerm}` +
        ` round=${message.round}`
      );
    case "heartbeat":
      return ` commit=${message.commitIndex} round=${message.round} mult=${message.timeoutMult}`;
    case "heartbeatResponse":
      return ` round=${message.round} mult=${message.timeoutMult}`;
    case "snapshotChunk": {
      const { snapshot, offset, data, done, round } = message;
      const bytes = `bytes=${offset}..${offset + data.length}${done ? " done" : ""}`;
      return ` ${describeSnapshot(snapshot)} ${bytes} round=${round}`;
    }
    case "snapshotResponse": {
      const what = message.installed ? "installed" : `offset=${message.offset}`;
      return ` index=${message.index} ${what} round=${message.round}`;
    }
    case "timeoutNow":
      return "";
    case "readIndex":
      return ` id=${message.id}`;
    case "readIndexResponse":
      return ` id=${message.id} index=${message.index ?? "none"}`;
  }
}

/** One stable line about an input. */
export function describeInput(input: Input): string {
  switch (input.type) {
    case "tick":
    case "stepDown":
      return input.type;
    case "receive":
      return `receive ${describeMessage(input.message)}`;
    case "propose":
      return `propose bytes=${input.data.length}`;
    case "changeMembers":
      return `changeMembers ${describeChange(input.change)}`;
    case "transfer":
      return `transfer to=${input.to}`;
    case "read":
      return `read id=${input.id}`;
    case "persisted":
      return `persisted ticket=${input.ticket}`;
    case "compacted":
      return `compacted ${describeSnapshot(input.snapshot)} first=${input.firstIndex}`;
    case "snapshotInstalled":
      return `snapshotInstalled index=${input.index}`;
    case "peerLost":
      return `peerLost peer=${input.peer}`;
    case "load":
      return `load mult=${input.timeoutMult}`;
  }
}

/** One stable line about an effect. */
export function describeEffect(effect: Effect): string {
  switch (effect.type) {
    case "send":
      return `send ${describeMessage(effect.message)}`;
    case "persist": {
      const { ticket, hardState, truncateFrom, entries, whenDurable } = effect;
      const parts = [`persist ticket=${ticket}`];
      if (hardState !== null)
        parts.push(`term=${hardState.term} vote=${hardState.votedFor ?? "none"}`);
      if (truncateFrom !== null) parts.push(`truncate=${truncateFrom}`);
      if (entries.length > 0) parts.push(`entries=${describeEntries(entries)}`);
      return parts.join(" ") + describeWhenDurable(whenDurable);
    }
    case "commit":
      return `commit index=${effect.index}`;
    case "proposed":
      return `proposed ${effect.index}/${effect.term}`;
    case "refused":
      return `refused ${effect.what} ${effect.reason}`;
    case "readReady":
      return `readReady ids=${effect.ids.join(",")} index=${effect.index}`;
    case "readFailed":
      return `readFailed ids=${effect.ids.join(",")}`;
    case "sendSnapshot": {
      const { to, snapshot, offset, round } = effect;
      return `sendSnapshot to=${to} ${describeSnapshot(snapshot)} offset=${offset} round=${round}`;
    }
    case "receiveSnapshot": {
      const { snapshot, offset, data } = effect;
      return `receiveSnapshot ${describeSnapshot(snapshot)} bytes=${offset}..${offset + data.length}`;
    }
    case "installSnapshot": {
      const { snapshot, keepLog, whenDurable } = effect;
      const log = keepLog ? "keepLog" : "dropLog";
      return `installSnapshot ${describeSnapshot(snapshot)} ${log}${describeWhenDurable(whenDurable)}`;
    }
    case "removed":
      return "removed";
  }
}

function describeWhenDurable(messages: readonly Message[]): string {
  return messages.length === 0 ? "" : ` then ${messages.map(describeMessage).join(" and ")}`;
}

/** One stable line about a member: `a: leader, term 2, log 1..7/2, commit 6`. */
export function describeState(state: RaftState): string {
  const { firstIndex, lastIndex, lastTerm, durableIndex } = state.log;
  const log = lastIndex < firstIndex ? `after ${lastIndex}` : `${firstIndex}..${lastIndex}`;
  const parts = [
    `${state.id}: ${state.role}`,
    `term ${state.currentTerm}`,
    `log ${log}/${lastTerm}`,
    `commit ${state.commitIndex}`,
  ];
  if (durableIndex !== lastIndex) parts.push(`durable ${durableIndex}`);
  if (state.leaderId !== null && state.leaderId !== state.id)
    parts.push(`follows ${state.leaderId}`);
  return parts.join(", ");
}

/** `a,b,c`, with the voters that are left behind after `|` and the learners after `+`. */
export function describeConfiguration({ voters, outgoing, learners }: Configuration): string {
  const left = outgoing.length > 0 ? `|${outgoing.join(",")}` : "";
  const learning = learners.length > 0 ? `+${learners.join(",")}` : "";
  return voters.join(",") + left + learning;
}

function describeChange({ add, promote, remove }: MemberChange): string {
  const parts: string[] = [];
  for (const { id, voter } of add ?? []) parts.push(`add=${id}${voter ? "" : "(learner)"}`);
  for (const id of promote ?? []) parts.push(`promote=${id}`);
  for (const id of remove ?? []) parts.push(`remove=${id}`);
  return parts.join(" ");
}

function describeSnapshot({ index, term }: SnapshotMeta): string {
  return `snapshot=${index}/${term}`;
}

/** `5/2`, `5..7/2`; a configuration is marked `5/2(members)`, a change of terms `5/1..7/2`. */
function describeEntries(entries: readonly Entry[]): string {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return "none";
  const hasMembers = entries.some((entry) => entry.data[0] === entryKind.configuration);
  const mark = hasMembers ? "(members)" : "";
  if (first === last) return `${first.index}/${first.term}${mark}`;
  if (first.term === last.term) return `${first.index}..${last.index}/${last.term}${mark}`;
  return `${first.index}/${first.term}..${last.index}/${last.term}${mark}`;
}
