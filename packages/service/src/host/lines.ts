import type { Socket } from "node:net";

/**
 * Calls back with each line that comes over a socket, parsed as JSON.
 *
 * A line over `charsMax`, or one that is no JSON, ends the socket.
 */
export function readLines(
  socket: Socket,
  charsMax: number,
  onValue: (value: unknown) => void,
): void {
  let parts: string[] = [];
  let chars = 0;
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const whole = parts.length === 0 ? line : parts.join("") + line;
      parts = [];
      chars = 0;
      // What comes in one piece with its end may be over the limit as well.
      const value = whole.length > charsMax ? undefined : parse(whole);
      if (value === undefined) {
        socket.destroy();
        return;
      }
      onValue(value);
    }
    if (rest === "") return;
    parts.push(rest);
    chars += rest.length;
    if (chars > charsMax) socket.destroy();
  });
}

/** Writes one value as a line; does nothing when the other side has gone. */
export function writeLine(socket: Socket, value: unknown): void {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
