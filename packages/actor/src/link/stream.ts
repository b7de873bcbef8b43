import { HalonError } from "@halon/protocol";

/** Largest message of a byte stream: one entry of the log with its envelope. */
export const streamMessageBytesMax = 17 * 1_048_576;
/** A message longer than this goes out in several frames. */
export const streamFrameBytesMax = 1_048_576;
const prefixBytes = 4;

/** Messages of one tick, each after its length as u32; frames are cut anywhere. */
export class StreamWriter {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Errors: HAL_TOO_LARGE. */
  add(message: Uint8Array): void {
    if (message.length > streamMessageBytesMax)
      throw new HalonError(
        "HAL_TOO_LARGE",
        `A message of ${message.length} bytes is over the ${streamMessageBytesMax} of a stream.`,
      );
    const prefix = Buffer.allocUnsafe(prefixBytes);
    prefix.writeUInt32BE(message.length);
    this.#parts.push(prefix, message);
    this.#bytes += prefixBytes + message.length;
  }

  /** All of it, as frames. */
  take(): readonly Uint8Array[] {
    const all = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    if (all.length <= streamFrameBytesMax) return [all];
    const frames: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += streamFrameBytesMax)
      frames.push(all.subarray(at, at + streamFrameBytesMax));
    return frames;
  }
}

/** Puts messages together again. What it gives may be part of a frame: it is not copied when it need not be. */
export class StreamReader {
  /** The beginning of a message whose end has not come. */
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes that the message under way needs, prefix included; 0 while its prefix is not there. */
  #needed = 0;

  /** The messages that this frame ends; null when the peer announces one that is too large. */
  push(frame: Buffer): readonly Uint8Array[] | null {
    this.#parts.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes < Math.max(prefixBytes, this.#needed)) return [];
    const buffer = this.#parts.length === 1 ? frame : Buffer.concat(this.#parts, this.#bytes);
    const messages: Uint8Array[] = [];
    let at = 0;
    this.#needed = 0;
    while (at + prefixBytes <= buffer.length) {
      const length = buffer.readUInt32BE(at);
      if (length > streamMessageBytesMax) return null;
      const end = at + prefixBytes + length;
      if (end > buffer.length) {
        this.#needed = end - at;
        break;
      }
      messages.push(buffer.subarray(at + prefixBytes, end));
      at = end;
    }
    const rest = buffer.subarray(at);
    this.#parts = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    return messages;
  }
}
