import { HalonError } from "@halon/protocol";
import { Packr, Unpackr } from "msgpackr";
import { streamFrameBytesMax } from "./stream.ts";

const options = { useRecords: false, moreTypes: false, int64AsType: "number" } as const;
const packr = new Packr(options);
const unpackr = new Unpackr(options);

/** Largest frame of each class, in bytes; a hello has at most the least of them. */
export const frameBytesMax = {
  control: 4_194_304,
  bulk: 2_097_152,
  raft: streamFrameBytesMax,
  "raft-bulk": streamFrameBytesMax,
} as const;
const headerBytes = 5;

/** Messages of one tick, encoded as they are added, so that one that is too large fails its sender alone. */
export class FrameWriter {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #bytes = headerBytes;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when the frame must be taken first. Errors: HAL_TOO_LARGE. */
  add(encoded: Uint8Array): boolean {
    if (encoded.length + headerBytes > this.#bytesMax)
      throw new HalonError(
        "HAL_TOO_LARGE",
        `A message of ${encoded.length} bytes is over the ${this.#bytesMax} of a frame; send it as bulk.`,
      );
    if (this.#bytes + encoded.length > this.#bytesMax) return false;
    this.#parts.push(encoded);
    this.#bytes += encoded.length;
    return true;
  }

  /** The frame: a MessagePack list of what was added. */
  take(): Uint8Array {
    const frame = Buffer.allocUnsafe(this.#bytes);
    frame[0] = 0xdd;
    frame.writeUInt32BE(this.#parts.length, 1);
    let at = headerBytes;
    for (const part of this.#parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = headerBytes;
    return frame;
  }
}

/** One message, encoded. */
export function encode(message: unknown): Uint8Array {
  return packr.pack(message);
}

/** What a frame holds, or null when it is no list. */
export function decodeFrame(frame: Uint8Array): readonly unknown[] | null {
  try {
    const value: unknown = unpackr.unpack(frame);
    return Array.isArray(value) ? value : null;
  } catch {
    // Anything may come from a peer; that it is no frame is all there is to say.
    return null;
  }
}
