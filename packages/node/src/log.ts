import { type DestinationStream, destination, type Logger, levels, pino } from "pino";

/** The node's log: JSON lines, or lines for people. */
export interface NodeLog {
  readonly logger: Logger;
  /** Opens the file anew, after it was moved away. */
  reopen(): void;
}

export function openLog(options: {
  readonly level: string;
  readonly format: "json" | "pretty";
  readonly file: string | undefined;
  readonly name: string;
}): NodeLog {
  const { level, format, file, name } = options;
  const sink = destination({ dest: file ?? 2, sync: true });
  const stream: DestinationStream = format === "json" ? sink : prettify(sink);
  const logger = pino({ level, base: { node: name } }, stream);
  return { logger, reopen: () => (file === undefined ? undefined : sink.reopen(file)) };
}

/** One line a message: time, level, text, then the fields. */
function prettify(sink: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      const {
        time,
        level,
        msg,
        node: _node,
        ...fields
      } = JSON.parse(line) as Record<string, unknown>;
      const text = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
      const stamp = new Date(Number(time)).toISOString().slice(11, 23);
      sink.write(
        `${stamp} ${(levels.labels[Number(level)] ?? "info").padEnd(5)} ${String(msg ?? "")}${text.join("")}\n`,
      );
    },
  };
}
