import { HalonError } from "@halon/protocol";
import { z } from "zod";
import type { Slot } from "../engine.ts";
import { badSlot } from "../slot.ts";
import type { Gateway } from "./gateway.ts";
import { type Keys, numberOf } from "./keys.ts";
import { type Found, get, type Kv } from "./ops.ts";

/** Who owns the store, as the owner key says. */
export interface Owner {
  readonly epoch: number;
  readonly address: string;
  readonly lease: string;
  readonly createRevision: number;
}

const ownerValue = z.object({ epoch: z.number(), address: z.string() });
const epochBytes = 8;
/** Recent slots are kept up to this size, for readers that are close behind. */
const recentBytesMax = 4 * 1024 * 1024;

/** What this handle knows of the store: it may lag, and never goes back. */
export class View {
  owner: Owner | null = null;
  /** The highest epoch that ever was; `epochRevision` is when it was written. */
  epoch = 0;
  epochRevision = 0;
  firstPosition = 1;
  lastPosition = 0;
  readonly onOwner = new Set<() => void>();
  readonly onCommit = new Set<() => void>();
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  /** As of which revision the owner is known. */
  #ownerRevision = 0;
  readonly #recent = new Map<number, Slot>();
  #recentBytes = 0;

  constructor(gateway: Gateway, keys: Keys) {
    this.#gateway = gateway;
    this.#keys = keys;
  }

  /** Reads all there is to know; resolves with the revision at which it holds. One try. */
  async survey(): Promise<number> {
    const keys = this.#keys;
    const { revision, found } = await this.#gateway.txn({
      compare: [],
      success: [
        get({ key: keys.owner }),
        get({ key: keys.epoch }),
        get({ key: keys.head }),
        get({ key: keys.log(0), end: keys.logEnd, limit: 1, keysOnly: true }),
      ],
      failure: [],
    });
    const [owner, epoch, head, log] = found;
    this.#takeEpoch(epoch);
    this.takeOwner(owner?.kvs[0], revision);
    const first = log?.kvs[0];
    // Positions have no gap, so the first key and their number give the last one.
    const from =
      first === undefined ? (headOf(head)?.position ?? 0) + 1 : Math.max(1, numberOf(first.key));
    this.#takeLog(from, from + (log?.count ?? 0) - 1);
    return revision;
  }

  /** Looks cheaply whether anything was missed since; surveys when slots are gone. One try. */
  async pulse(): Promise<void> {
    const keys = this.#keys;
    const { firstPosition, lastPosition } = this;
    const { revision, found } = await this.#gateway.txn({
      compare: [],
      success: [
        get({ key: keys.owner }),
        get({ key: keys.log(lastPosition + 1), keysOnly: true }),
        get({ key: keys.log(firstPosition), keysOnly: true }),
        get({ key: keys.head }),
      ],
      failure: [],
    });
    const [owner, next, first, head] = found;
    this.takeOwner(owner?.kvs[0], revision);
    const isFirstGone = firstPosition <= lastPosition && first?.count === 0;
    const isBehind = (headOf(head)?.position ?? 0) > lastPosition;
    if (isFirstGone || isBehind || next?.count !== 0) await this.survey();
  }

  takeOwner(kv: Kv | undefined, revision: number): void {
    if (revision < this.#ownerRevision) return;
    this.#ownerRevision = revision;
    const owner = kv === undefined ? null : ownerOf(kv);
    const isSame = owner?.createRevision === this.owner?.createRevision;
    this.owner = owner;
    this.epoch = Math.max(this.epoch, owner?.epoch ?? 0);
    if (!isSame) for (const listener of [...this.onOwner]) listener();
  }

  /** A slot that was committed just now, or found. */
  takeSlot(slot: Slot): void {
    if (slot.position < this.firstPosition || this.#recent.has(slot.position)) return;
    this.#recent.set(slot.position, slot);
    this.#recentBytes += slot.data.length;
    for (const [position, old] of this.#recent) {
      if (this.#recentBytes <= recentBytesMax && this.#recent.size <= 4_096) break;
      this.#recent.delete(position);
      this.#recentBytes -= old.data.length;
    }
    this.#takeLog(this.firstPosition, slot.position);
  }

  /** The slots up to `position` are gone. */
  dropped(position: number): void {
    this.#takeLog(position + 1, position);
  }

  /** Recent slots from `from` on, without a gap. */
  recent(from: number): readonly Slot[] {
    const slots: Slot[] = [];
    for (let position = from; ; position++) {
      const slot = this.#recent.get(position);
      if (slot === undefined) return slots;
      slots.push(slot);
    }
  }

  /** Tells followers to look, also when nothing is new: they find out what has become of the store. */
  wake(): void {
    for (const listener of [...this.onCommit]) listener();
  }

  #takeLog(first: number, last: number): void {
    const isNew = last > this.lastPosition || first > this.firstPosition;
    this.firstPosition = Math.max(this.firstPosition, first);
    this.lastPosition = Math.max(this.lastPosition, last);
    if (isNew) this.wake();
  }

  #takeEpoch(found: Found | undefined): void {
    const kv = found?.kvs[0];
    this.epochRevision = kv?.modRevision ?? 0;
    this.epoch = Math.max(this.epoch, kv === undefined ? 0 : parsed(kv, z.number()));
  }
}

const headValue = z.object({ position: z.number(), chunks: z.number() });

/** The newest snapshot: as of which slot, and how many chunks it has. */
export function headOf(found: Found | undefined): z.infer<typeof headValue> | undefined {
  const kv = found?.kvs[0];
  return kv === undefined ? undefined : parsed(kv, headValue);
}

export function ownerOf(kv: Kv): Owner {
  const { epoch, address } = parsed(kv, ownerValue);
  return { epoch, address, lease: kv.lease, createRevision: kv.createRevision };
}

function parsed<T extends z.ZodType>(kv: Kv, schema: T): z.output<T> {
  try {
    return schema.parse(JSON.parse(textOf(kv)));
  } catch (error) {
    const message = `etcd: the key ${kv.key} holds what Halon did not write. See what else uses this prefix, or give Halon another one`;
    throw new HalonError("HAL_STORE_DAMAGED", message, { cause: error, details: { key: kv.key } });
  }
}

export const textOf = (kv: Kv | undefined): string =>
  kv === undefined ? "" : Buffer.from(kv.value).toString("utf8");

/** A slot as it is stored: the epoch (u64, little endian), then the data. */
export function encodeSlot(epoch: number, data: Uint8Array): Uint8Array {
  const value = Buffer.allocUnsafe(epochBytes + data.length);
  value.writeBigUInt64LE(BigInt(epoch));
  value.set(data, epochBytes);
  return value;
}

/** Errors: HAL_STORE_DAMAGED. */
export function slotOf(kv: Kv): Slot {
  const { value } = kv;
  if (value.length < epochBytes) {
    throw badSlot(numberOf(kv.key), `the key ${kv.key} of etcd holds ${value.length} bytes`);
  }
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return {
    position: numberOf(kv.key),
    epoch: Number(view.getBigUint64(0, true)),
    data: value.subarray(epochBytes),
  };
}
