import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { HalonError } from "@halon/protocol";
import { deferred } from "../deferred.ts";

/** One node of a local cluster, in a process of its own. */
export interface Child {
  readonly name: string;
  /** Resolves with the endpoint of its ready line; rejects when it ends before. */
  readonly ready: Promise<string>;
  /** Resolves with how it ended. */
  readonly exited: Promise<string>;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Asks it to stop; at the deadline it is killed. */
  stop(signal: NodeJS.Signals, deadlineMs: number): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly onReady: (line: string) => void;
  readonly onOutput: (line: string) => void;
}

/** Starts the node in a session of its own, so that Ctrl-C reaches it only through its launcher, once. */
export function startChild(options: ChildOptions): Child {
  const [program = process.execPath, ...args] = options.command;
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const ready = deferred<string>();
  // Whoever waits sees the rejection; nobody may be waiting any more.
  ready.promise.catch(() => undefined);
  lines(child, (line) => {
    const endpoint = /^halond ready .*\bendpoint=(\S+)/.exec(line)?.[1];
    if (endpoint === undefined) return options.onOutput(line);
    options.onReady(line);
    ready.resolve(endpoint);
  });
  let isRunning = true;
  const exited = new Promise<string>((resolve) => {
    const end = (how: string) => {
      isRunning = false;
      ready.reject(
        new HalonError("HAL_FAILED", `Node ${options.name} ${how} before it was ready.`),
      );
      resolve(how);
    };
    child.once("error", (error) => end(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      end(signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
    );
  });
  const send = (signal: NodeJS.Signals) => void (isRunning && child.kill(signal));
  return {
    name: options.name,
    ready: ready.promise,
    exited,
    isRunning: () => isRunning,
    signal: send,
    stop: async (signal, deadlineMs) => {
      send(signal);
      const kill = setTimeout(() => send("SIGKILL"), deadlineMs);
      await exited;
      clearTimeout(kill);
    },
  };
}

function lines(child: ChildProcess, listener: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", listener);
  }
}
