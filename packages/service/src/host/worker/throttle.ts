import { limits } from "../limits.ts";

/** Passes on so much text a second, and then says how much it dropped; before it is in the memory of the node. */
export function createThrottle(
  write: (text: string) => void,
  now: () => number,
): (text: string) => void {
  let second = 0;
  let taken = 0;
  let dropped = 0;
  return (text) => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) {
      if (dropped > 0)
        write(`[halon] ${dropped} characters of output dropped: too much in one second\n`);
      second = current;
      taken = 0;
      dropped = 0;
    }
    const kept = text.slice(0, Math.max(0, limits.outputBytesPerSecondMax - taken));
    taken += kept.length;
    dropped += text.length - kept.length;
    if (kept !== "") write(kept);
  };
}
