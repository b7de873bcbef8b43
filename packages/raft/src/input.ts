import type { MemberChange, MemberId } from "./configuration.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot.ts";

/** What happens to a member. */
export type Input =
  /** One tick of the clock has passed. */
  | { readonly type: "tick" }
  | { readonly type: "receive"; readonly message: Message }
  /** `data` with its kind as first byte. Answered by `proposed` or `refused` in the same step. */
  | { readonly type: "propose"; readonly data: Uint8Array }
  | { readonly type: "changeMembers"; readonly change: MemberChange }
  | { readonly type: "transfer"; readonly to: MemberId }
  /** Wants an index to read at. Answered by `readReady` or `readFailed`; ids are the caller's. */
  | { readonly type: "read"; readonly id: number }
  /** All up to this `persist` effect is durable. */
  | { readonly type: "persisted"; readonly ticket: number }
  /** The driver saved a snapshot of its own state; entries before `firstIndex` may be dropped. */
  | { readonly type: "compacted"; readonly snapshot: SnapshotMeta; readonly firstIndex: number }
  /** What `installSnapshot` asked for is durable and is the state now. */
  | { readonly type: "snapshotInstalled"; readonly index: number }
  /** A connection to this member was closed: a hint of its death, never a proof. */
  | { readonly type: "peerLost"; readonly peer: MemberId }
  /** The driver cannot go on leading: a full disk, a shutdown. */
  | { readonly type: "stepDown" }
  /** How much longer than by default this machine needs its timeouts, 1 to 10. */
  | { readonly type: "load"; readonly timeoutMult: number };
