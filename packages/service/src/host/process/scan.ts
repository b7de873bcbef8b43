import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const lineCharsMax = 8_192;
const scanBytesMax = 262_144;
const readBytes = 65_536;
const eagerPollMs = 2;
const eagerMs = 1_000;
const patientPollMs = 10;
const unfinishedLineMs = 100;

/** A search of the output that goes on until a line fits or enough was seen. */
export interface OutputScan {
  cancel(): void;
}

/**
 * Looks for the first line that the pattern fits, from byte `start` of the file on.
 *
 * Only the first 256 KiB are looked at and 8 KiB of each line: a pattern costs time on the thread of `halond`. A line
 * without an end, such as a prompt, is tried once nothing was added for 100 ms: half of "port 8080" would fit as well.
 * `onMatch` is called at most once, never from here. Throws when the file cannot be opened.
 */
export function scanOutput(
  path: string,
  start: number,
  pattern: RegExp,
  onMatch: (match: RegExpExecArray) => void,
): OutputScan {
  const file = openSync(path, "r");
  const lines = lineMatcher(pattern);
  const buffer = Buffer.allocUnsafe(readBytes);
  const eagerUntil = performance.now() + eagerMs;
  let at = start;
  let left = scanBytesMax;
  let timer = setTimeout(look, eagerPollMs);
  let grewAt = performance.now();
  let closed = false;

  function look(): void {
    const match = readOn();
    if (match === undefined && left > 0) {
      timer = setTimeout(look, performance.now() < eagerUntil ? eagerPollMs : patientPollMs);
      return;
    }
    cancel();
    if (match !== undefined) onMatch(match);
  }

  function readOn(): RegExpExecArray | undefined {
    if (fstatSync(file).size < at) at = 0; // It was over its limit and emptied.
    while (left > 0) {
      const bytes = readSync(file, buffer, 0, Math.min(buffer.length, left), at);
      if (bytes === 0) break;
      grewAt = performance.now();
      at += bytes;
      left -= bytes;
      const match = lines.feed(buffer.subarray(0, bytes));
      if (match !== undefined) return match;
    }
    return performance.now() - grewAt >= unfinishedLineMs ? lines.rest() : undefined;
  }

  function cancel(): void {
    clearTimeout(timer);
    if (!closed) closeSync(file);
    closed = true;
  }

  return { cancel };
}

/** Lines out of pieces of output. */
export interface LineMatcher {
  /** The match of the first whole line that fits. */
  feed(bytes: Buffer): RegExpExecArray | undefined;
  /** The same for the last line, which has no end yet. */
  rest(): RegExpExecArray | undefined;
}

export function lineMatcher(pattern: RegExp): LineMatcher {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const match = (line: string) =>
    pattern.exec(line.slice(0, lineCharsMax).replace(/\r$/, "")) ?? undefined;
  return {
    feed(bytes) {
      const lines = (rest + decoder.write(bytes)).split("\n");
      // What is over the limit is not kept either: a line without an end must not fill the memory.
      rest = (lines.pop() ?? "").slice(0, lineCharsMax);
      for (const line of lines) {
        const found = match(line);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    rest: () => (rest === "" ? undefined : match(rest)),
  };
}
