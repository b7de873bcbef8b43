import { type AgencyAnswer, noRecords, Replica, type ReplicaEffect } from "@halon/agency/core";
import {
  emptyKv,
  type KvState,
  parseReadRequest,
  parseWriteRequest,
  SnapshotReader,
  snapshotChunks,
} from "@halon/kv";
import type { RaftState, SnapshotMeta } from "@halon/raft";
import { burstKeys } from "./clients.ts";
import type {
  Process,
  ProcessEffect,
  ProcessInput,
  ProcessStart,
  SimAnswer,
  SimRequest,
} from "./process.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = (text: string): Uint8Array => encoder.encode(text);
const decode = (bytes: Uint8Array): string => decoder.decode(bytes);

/** The agency's replica, as a member runs it. Registers are keys below `/r`. */
export class AgencyProcess implements Process {
  private readonly replica: Replica;
  private readonly keysOfReads = new Map<number, number>();

  constructor(start: ProcessStart) {
    const { found, snapshotBytes } = start;
    this.replica = new Replica(
      {
        id: start.id,
        raft: start.raft,
        seed: start.seed,
        encode,
        decode,
        agencySize: start.agencySize,
        compactionStep: start.compactEntries,
        compactionKeep: start.keepEntries,
      },
      {
        found,
        configuration: start.configuration,
        state: stateOf(snapshotBytes),
        records: noRecords,
        snapshotBytes: snapshotBytes.length,
      },
    );
  }

  get raft(): RaftState {
    return this.replica.raft;
  }

  get appliedIndex(): number {
    return this.replica.appliedIndex;
  }

  get waitingCount(): number {
    return this.replica.waitingCount;
  }

  stateBytes(): Uint8Array {
    return bytesOf(this.replica.committed);
  }

  step(input: ProcessInput): readonly ProcessEffect[] {
    return this.stepReplica(input).map((effect) => this.translate(effect));
  }

  private stepReplica(input: ProcessInput): readonly ReplicaEffect[] {
    switch (input.type) {
      case "tick":
      case "flush":
        return this.replica.step({ type: input.type, ms: input.ms, wallMs: input.ms });
      case "request":
        if (input.request.type === "read") this.keysOfReads.set(input.id, input.request.key);
        return this.replica.step({
          type: "request",
          id: input.id,
          request: requestOf(input.request),
        });
      case "snapshotSaved": {
        const { meta, bytes } = input.snapshot;
        return this.replica.step({ type: "snapshotSaved", snapshot: meta, bytes: bytes.length });
      }
      case "snapshotInstalled": {
        const { meta, bytes } = input.snapshot;
        return this.replica.step({
          type: "snapshotInstalled",
          snapshot: meta,
          state: stateOf(bytes),
          records: noRecords,
          bytes: bytes.length,
        });
      }
      default:
        return this.replica.step(input);
    }
  }

  private translate(effect: ReplicaEffect): ProcessEffect {
    switch (effect.type) {
      case "answer": {
        const key = this.keysOfReads.get(effect.id) ?? 0;
        this.keysOfReads.delete(effect.id);
        return { type: "answer", id: effect.id, answer: answerOf(effect.answer, key) };
      }
      case "takeSnapshot":
        return takeSnapshot(effect.snapshot, effect.state);
      case "notify":
        return { type: "notify" };
      case "appended":
      case "hostSnapshotDone":
        throw new Error(`${effect.type}, and no host was there to ask`);
      default:
        return effect;
    }
  }
}

function takeSnapshot(meta: SnapshotMeta, state: KvState): ProcessEffect {
  return { type: "takeSnapshot", snapshot: { meta, bytes: bytesOf(state) } };
}

function bytesOf(state: KvState): Uint8Array {
  return encode([...snapshotChunks(state)].join("\n"));
}

function stateOf(bytes: Uint8Array): KvState {
  if (bytes.length === 0) return emptyKv;
  const reader = new SnapshotReader();
  for (const chunk of decode(bytes).split("\n")) reader.push(chunk);
  return reader.finish();
}

type ReplicaRequest = Extract<Parameters<Replica["step"]>[0], { type: "request" }>["request"];

function requestOf(request: SimRequest): ReplicaRequest {
  switch (request.type) {
    case "read": {
      const parsed = parseReadRequest(JSON.stringify([[`/r/${request.key}`]]));
      if (!parsed.ok) throw new Error(parsed.message);
      return { type: "read", transactions: parsed.reads };
    }
    case "write":
    case "cas": {
      const parsed = parseWriteRequest(JSON.stringify([transactionOf(request)]));
      if (!parsed.ok) throw new Error(parsed.message);
      return { type: "write", transactions: parsed.writes, mode: "waitForCommitted" };
    }
    case "inquire":
      return { type: "inquire", ids: [request.clientId], wait: true };
    case "changeMembers":
      return request;
    case "transfer":
      return { type: "transferLeader", to: request.to };
  }
}

function transactionOf(request: SimRequest & { readonly type: "write" | "cas" }): unknown {
  const path = `/r/${request.key}`;
  const set = { op: "set", new: request.value };
  // What nobody reads may expire, so that states differ when members do not agree on the time.
  const operations = { [path]: request.key < burstKeys ? set : { ...set, ttl: 1 } };
  if (request.type === "write") return [operations, {}, request.clientId];
  const condition = request.expected === null ? { oldEmpty: true } : { old: request.expected };
  return [operations, { [path]: condition }, request.clientId];
}

function answerOf(answer: AgencyAnswer, key: number): SimAnswer {
  switch (answer.type) {
    case "written":
      if (answer.status === 200) return { type: "ok", value: null };
      return answer.status === 412 ? { type: "failed" } : { type: "refused", reason: "forbidden" };
    case "json":
      if (answer.status !== 200) return { type: "unknown" };
      return { type: "ok", value: valueIn(answer.text, key) };
    case "done":
      return { type: "ok", value: null };
    case "lostLeadership":
    case "notCommitted":
      return { type: "unknown" };
    case "refused":
    case "notLeader":
    case "noLeader":
    case "busy":
      return answer;
  }
}

/** What a read or an inquiry tells: the register, or the index of the write. */
function valueIn(text: string, key: number): number | null {
  const answer: AnswerText = JSON.parse(text);
  if ("results" in answer) return answer.results[0] ?? null;
  return answer[0]?.r?.[key] ?? null;
}

type AnswerText =
  | { readonly results: readonly number[] }
  | readonly { readonly r?: Readonly<Record<string, number>> }[];
