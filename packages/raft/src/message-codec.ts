import type { Message } from "./message.ts";

/** The bytes of a message, for one frame of a link. */
export function encodeMessage(_message: Message): Uint8Array {
  throw new Error("to come");
}

/** The message in these bytes; null when anything about them is wrong. Its `data` are views into `bytes`. */
export function decodeMessage(_bytes: Uint8Array): Message | null {
  throw new Error("to come");
}
