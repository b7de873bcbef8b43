import type { Configuration } from "./configuration.ts";

/** Whether `text` can be an id or an address: 1 to 255 printable ASCII characters without a space. */
export function isMemberText(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return text.length >= 1 && text.length <= 255;
}

/** Canonical JSON in ASCII. */
export function encodeConfiguration(_configuration: Configuration): Uint8Array {
  throw new Error("to come");
}

/** The configuration in these bytes; null when they are not exactly what `encodeConfiguration` gives. */
export function decodeConfiguration(_bytes: Uint8Array): Configuration | null {
  throw new Error("to come");
}
