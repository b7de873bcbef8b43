import type { Io } from "../src/io.ts";

/** Keeps what a command writes, and tells who waits for a text. */
export function memoryIo(env: Io["env"] = {}) {
  const written = { out: "", err: "" };
  const watchers = new Set<() => void>();
  const add = (stream: "out" | "err") => (text: string) => {
    written[stream] += text;
    for (const watcher of watchers) watcher();
  };
  const io: Io = {
    out: add("out"),
    err: add("err"),
    env,
    columns: 80,
    isTerminal: false,
    interrupted: new AbortController().signal,
  };
  const until = (stream: "out" | "err", pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve) => {
      const look = () => {
        const match = pattern.exec(written[stream]);
        if (match === null) return;
        watchers.delete(look);
        resolve(match);
      };
      watchers.add(look);
      look();
    });
  return { io, written, until };
}
