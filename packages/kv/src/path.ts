import { limits, Malformed } from "./limits.ts";

/**
 * The one spelling of a path: a slash before each segment, `/` for the root.
 *
 * There is no escape: whatever stands between slashes is the key.
 */
export function normalisePath(raw: string): string {
  if (isNormal(raw)) return raw;
  return `/${raw.split("/").filter(isFilled).join("/")}`;
}

function isNormal(raw: string): boolean {
  if (raw.charCodeAt(0) !== slash) return false;
  if (raw.length === 1) return true;
  return raw.charCodeAt(raw.length - 1) !== slash && !raw.includes("//");
}

const slash = 47;

function isFilled(segment: string): boolean {
  return segment !== "";
}

/** Keys from the root down, of a normalised path. */
export function segmentsOf(path: string): readonly string[] {
  const segments: string[] = [];
  if (path.length === 1) return segments;
  // Slices cost a third of what `split` does.
  let start = 1;
  for (let end = path.indexOf("/", start); end > 0; end = path.indexOf("/", start)) {
    segments.push(path.slice(start, end));
    start = end + 1;
  }
  segments.push(path.slice(start));
  return segments;
}

/** Refuses a path that is too long for any purpose. */
export function checkLength(raw: string): void {
  if (raw.length * 3 > limits.pathBytesMax && utf8Length(raw) > limits.pathBytesMax) {
    throw new Malformed(`A path is longer than ${limits.pathBytesMax} bytes`);
  }
}

/** The normalised path to write at. Throws `Malformed`. */
export function writablePath(raw: string): string {
  checkLength(raw);
  const path = normalisePath(raw);
  if (path.length > 2 * limits.levelsMax && segmentsOf(path).length > limits.levelsMax) {
    throw new Malformed(`A path has more than ${limits.levelsMax} segments`);
  }
  return path;
}

/** Length of the text in UTF-8, in bytes. Texts hold no lone surrogates. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // The two units of a surrogate pair come to four bytes together.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}
