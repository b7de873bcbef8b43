import type { ErrorData } from "@halon/protocol";
import type { HostAppended, HostLogStatus } from "../host-log.ts";

/** What the host's thread asks of the member's. A `ref` names the question in its answer. */
export type ToMember =
  /** The last `status` was taken; the next may come. */
  | { readonly type: "seen" }
  | { readonly type: "lead"; readonly ref: number }
  | {
      readonly type: "append";
      readonly ref: number;
      readonly data: Uint8Array;
      readonly position: number;
      readonly epoch: number;
    }
  | { readonly type: "confirm"; readonly ref: number; readonly epoch: number }
  | { readonly type: "read"; readonly ref: number; readonly from: number }
  | { readonly type: "save"; readonly ref: number; readonly position: number }
  /** The chunk that was asked for, null at the end. */
  | { readonly type: "chunk"; readonly ref: number; readonly data: Uint8Array | null }
  /** There is no chunk: its source failed. */
  | { readonly type: "cut"; readonly ref: number; readonly error: ErrorData }
  | { readonly type: "load"; readonly ref: number }
  /** Asks for the next chunk of the snapshot that was loaded as `load`. */
  | { readonly type: "next"; readonly ref: number; readonly load: number }
  /** No more chunks are wanted. */
  | { readonly type: "release"; readonly load: number };

/** What an answer says besides the log's status at that moment. */
export type Answer =
  | { readonly type: "leads"; readonly epoch: number }
  | { readonly type: "appended"; readonly appended: HostAppended }
  | { readonly type: "confirmed"; readonly leads: boolean }
  | { readonly type: "slots"; readonly slots: readonly SlotHead[]; readonly data: Uint8Array }
  | { readonly type: "saved" }
  | { readonly type: "loaded"; readonly position: number | null }
  | { readonly type: "nextIs"; readonly data: Uint8Array | null }
  | { readonly type: "failed"; readonly error: ErrorData };

/** One slot of a page, whose bytes follow those of the slot before. */
export interface SlotHead {
  readonly position: number;
  readonly epoch: number;
  readonly bytes: number;
}

/** What the member's thread tells the host's. */
export type FromMember =
  /** After a change, or a commit; the next one comes when this was `seen`. */
  | { readonly type: "status"; readonly status: HostLogStatus }
  | {
      readonly type: "answer";
      readonly ref: number;
      readonly answer: Answer;
      /** As of the answer, so that whoever reads what it tells knows of it. */
      readonly status: HostLogStatus;
    }
  /** Asks for the next chunk of the snapshot that is being saved. */
  | { readonly type: "want"; readonly ref: number };

/** Bytes in a buffer of their own, which can be handed to another thread: a view would take all around it along. */
export function ownBytes(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data);
}
