import { assert } from "./assert.ts";
import { Reader, Writer } from "./bytes.ts";
import { decodeConfiguration, encodeConfiguration, isMemberText } from "./configuration-codec.ts";
import { type Entry, entryKind } from "./entry.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot.ts";

type MessageType = Message["type"];
type MessageOf<T extends MessageType> = Extract<Message, { type: T }>;

/** First byte of a message. Permanent: another meaning takes another number. */
const tags = {
  requestVote: 1,
  voteResponse: 2,
  append: 3,
  appendResponse: 4,
  heartbeat: 5,
  heartbeatResponse: 6,
  snapshotChunk: 7,
  snapshotResponse: 8,
  timeoutNow: 9,
  readIndex: 10,
  readIndexResponse: 11,
} as const satisfies Record<MessageType, number>;

/**
 * The bytes of a message, for one frame of a link.
 *
 * One byte of type, then `from`, `to`, `term` and the fields in the order of `message.ts`; numbers are big-endian.
 */
export function encodeMessage(message: Message): Uint8Array {
  assert(isMemberText(message.from) && isMemberText(message.to), "a member id that is no text");
  const snapshotBytes =
    message.type === "snapshotChunk"
      ? encodeConfiguration(message.snapshot.configuration)
      : undefined;
  const head = 1 + 1 + message.from.length + 1 + message.to.length + 8;
  const writer = new Writer(head + contentBytes(message, snapshotBytes?.length ?? 0));
  writer.byte(tags[message.type]);
  writer.text(message.from);
  writer.text(message.to);
  writer.number(message.term);
  writeContent(writer, message, snapshotBytes);
  return writer.bytes;
}

function contentBytes(message: Message, snapshotBytes: number): number {
  switch (message.type) {
    case "requestVote":
      return 2 + 16;
    case "voteResponse":
      return 2;
    case "append": {
      let bytes = 32 + 4;
      for (const { data } of message.entries) bytes += 8 + 4 + data.length;
      return bytes;
    }
    case "appendResponse":
      return 8 + 1 + 32;
    case "heartbeat":
      return 24;
    case "heartbeatResponse":
      return 16;
    case "snapshotChunk":
      return 16 + 4 + snapshotBytes + 8 + 4 + message.data.length + 1 + 8;
    case "snapshotResponse":
      return 16 + 1 + 8;
    case "timeoutNow":
      return 0;
    case "readIndex":
      return 8;
    case "readIndexResponse":
      return 8 + 1 + 8;
  }
}

function writeContent(writer: Writer, message: Message, snapshotBytes?: Uint8Array): void {
  switch (message.type) {
    case "requestVote":
      writer.flag(message.preVote);
      writer.flag(message.transfer);
      writer.number(message.lastIndex);
      writer.number(message.lastTerm);
      return;
    case "voteResponse":
      writer.flag(message.preVote);
      writer.flag(message.granted);
      return;
    case "append":
      writeAppend(writer, message);
      return;
    case "appendResponse":
      writer.number(message.round);
      writeOptional(writer, message.matchIndex);
      writer.number(message.rejectedIndex);
      writer.number(message.hintIndex);
      writer.number(message.hintTerm);
      return;
    case "heartbeat":
      writer.number(message.commitIndex);
      writer.number(message.round);
      writer.real(message.timeoutMult);
      return;
    case "heartbeatResponse":
      writer.number(message.round);
      writer.real(message.timeoutMult);
      return;
    case "snapshotChunk":
      writer.number(message.snapshot.index);
      writer.number(message.snapshot.term);
      writer.data(snapshotBytes ?? new Uint8Array());
      writer.number(message.offset);
      writer.data(message.data);
      writer.flag(message.done);
      writer.number(message.round);
      return;
    case "snapshotResponse":
      writer.number(message.index);
      writer.number(message.offset);
      writer.flag(message.installed);
      writer.number(message.round);
      return;
    case "timeoutNow":
      return;
    case "readIndex":
      writer.number(message.id);
      return;
    case "readIndexResponse":
      writer.number(message.id);
      writeOptional(writer, message.index);
  }
}

function writeAppend(writer: Writer, message: MessageOf<"append">): void {
  writer.number(message.prevIndex);
  writer.number(message.prevTerm);
  writer.number(message.commitIndex);
  writer.number(message.round);
  writer.length(message.entries.length);
  for (const entry of message.entries) {
    // Its index follows from its place.
    writer.number(entry.term);
    writer.data(entry.data);
  }
}

function writeOptional(writer: Writer, value: number | null): void {
  writer.flag(value !== null);
  writer.number(value ?? 0);
}

/** The message in these bytes; null when anything about them is wrong. Its `data` are views into `bytes`. */
export function decodeMessage(bytes: Uint8Array): Message | null {
  const reader = new Reader(bytes);
  const tag = reader.byte();
  const from = reader.text();
  const to = reader.text();
  const term = reader.number();
  if (!reader.ok) return null;
  const message = readContent(reader, tag, from, to, term);
  return message !== null && reader.isWhole ? message : null;
}

function readContent(
  reader: Reader,
  tag: number,
  from: string,
  to: string,
  term: number,
): Message | null {
  switch (tag) {
    case tags.requestVote: {
      const [preVote, transfer] = [reader.flag(), reader.flag()];
      const [lastIndex, lastTerm] = [reader.number(), reader.number()];
      return { type: "requestVote", from, to, term, preVote, transfer, lastIndex, lastTerm };
    }
    case tags.voteResponse: {
      const [preVote, granted] = [reader.flag(), reader.flag()];
      return { type: "voteResponse", from, to, term, preVote, granted };
    }
    case tags.append:
      return readAppend(reader, from, to, term);
    case tags.appendResponse:
      return readAppendResponse(reader, from, to, term);
    case tags.heartbeat: {
      const [commitIndex, round] = [reader.number(), reader.number()];
      const timeoutMult = readMult(reader);
      return { type: "heartbeat", from, to, term, commitIndex, round, timeoutMult };
    }
    case tags.heartbeatResponse: {
      const round = reader.number();
      return { type: "heartbeatResponse", from, to, term, round, timeoutMult: readMult(reader) };
    }
    case tags.snapshotChunk:
      return readSnapshotChunk(reader, from, to, term);
    case tags.snapshotResponse: {
      const [index, offset] = [reader.number(), reader.number()];
      const [installed, round] = [reader.flag(), reader.number()];
      return { type: "snapshotResponse", from, to, term, index, offset, installed, round };
    }
    case tags.timeoutNow:
      return { type: "timeoutNow", from, to, term };
    case tags.readIndex:
      return { type: "readIndex", from, to, term, id: reader.number() };
    case tags.readIndexResponse: {
      const id = reader.number();
      return { type: "readIndexResponse", from, to, term, id, index: readOptional(reader) };
    }
    default:
      return null;
  }
}

function readAppend(
  reader: Reader,
  from: string,
  to: string,
  term: number,
): MessageOf<"append"> | null {
  const prevIndex = reader.number();
  const prevTerm = reader.number();
  const commitIndex = reader.number();
  const round = reader.number();
  const count = reader.length();
  const entries: Entry[] = [];
  let termBefore = prevTerm;
  // A count that is too large ends with the bytes: each entry takes some.
  for (let at = 0; at < count && reader.ok; at += 1) {
    const entry = { index: prevIndex + 1 + at, term: reader.number(), data: reader.data() };
    if (entry.term < termBefore || !isEntryData(entry.data)) reader.fail();
    termBefore = entry.term;
    entries.push(entry);
  }
  if (termBefore > term || !Number.isSafeInteger(prevIndex + count)) return null;
  return { type: "append", from, to, term, prevIndex, prevTerm, entries, commitIndex, round };
}

function isEntryData(data: Uint8Array): boolean {
  const kind = data[0];
  if (kind === entryKind.configuration) return decodeConfiguration(data.subarray(1)) !== null;
  return kind === entryKind.noop || kind === entryKind.command || kind === entryKind.record;
}

function readAppendResponse(
  reader: Reader,
  from: string,
  to: string,
  term: number,
): MessageOf<"appendResponse"> & Message {
  const round = reader.number();
  const matchIndex = readOptional(reader);
  const rejectedIndex = reader.number();
  const hintIndex = reader.number();
  const hintTerm = reader.number();
  return {
    type: "appendResponse",
    from,
    to,
    term,
    round,
    matchIndex,
    rejectedIndex,
    hintIndex,
    hintTerm,
  };
}

function readSnapshotChunk(
  reader: Reader,
  from: string,
  to: string,
  term: number,
): MessageOf<"snapshotChunk"> | null {
  const index = reader.number();
  const snapshotTerm = reader.number();
  const configuration = decodeConfiguration(reader.data());
  const offset = reader.number();
  const data = reader.data();
  const done = reader.flag();
  const round = reader.number();
  if (configuration === null || snapshotTerm > term) return null;
  if (!Number.isSafeInteger(offset + data.length)) return null;
  const snapshot: SnapshotMeta = { index, term: snapshotTerm, configuration };
  return { type: "snapshotChunk", from, to, term, snapshot, offset, data, done, round };
}

function readOptional(reader: Reader): number | null {
  const isThere = reader.flag();
  const value = reader.number();
  if (!isThere && value !== 0) reader.fail();
  return isThere ? value : null;
}

function readMult(reader: Reader): number {
  const value = reader.real();
  if (!(value >= 1 && value <= 10)) reader.fail();
  return value;
}
