import { type Client, createClient } from "@halon/api";
import { Duration } from "@halon/protocol";
import type { Command } from "commander";
import { type Accepted, requireDone } from "../cluster-file.ts";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { createPrinter, type Format, type Printer } from "../output/print.ts";

/** What every command of `halonctl` is given. */
export interface Session {
  readonly client: Client;
  readonly print: Printer;
  readonly io: Io;
  readonly timeoutMs: number;
}

export interface GlobalOptions {
  readonly endpoint?: readonly string[];
  readonly output: Format;
  readonly timeout: string;
  readonly color: boolean;
  readonly quiet?: boolean;
}

/** Makes an action of a function that talks to the cluster; the connection ends with it. */
export function action<A extends readonly unknown[]>(
  io: Io,
  run: (session: Session, ...args: A) => Promise<void>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const session = openSession(io, command.optsWithGlobals());
    try {
      await run(session, ...(args.slice(0, -1) as unknown as A));
    } finally {
      await session.client.close();
    }
  };
}

function openSession(io: Io, options: GlobalOptions): Session {
  const { endpoints, timeoutMs, print } = settingsOf(io, options);
  return { io, timeoutMs, print, client: createClient({ endpoints, timeoutMs }) };
}

/** What the options of every command say. */
export function settingsOf(
  io: Io,
  options: GlobalOptions,
): {
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly print: Printer;
} {
  const fromEnv = io.env["HALON_ENDPOINT"]?.split(",").filter((text) => text !== "") ?? [];
  const standard = fromEnv.length > 0 ? fromEnv : ["http://127.0.0.1:8528"];
  const noColor = (io.env["NO_COLOR"] ?? "") !== "";
  return {
    endpoints: options.endpoint ?? standard,
    timeoutMs: durationOf("--timeout", options.timeout),
    print: createPrinter(io, {
      format: options.output,
      isQuiet: options.quiet === true,
      hasColor: io.isTerminal && options.color && !noColor,
    }),
  };
}

export function durationOf(option: string, text: string): number {
  const parsed = Duration.safeParse(text);
  if (parsed.success && parsed.data > 0) return parsed.data;
  throw usage(
    `Expected ${option} to be a duration such as 500ms, 30s or 5m, got ${JSON.stringify(text.slice(0, 50))}.`,
  );
}

/** Options of every command that changes something. */
export interface MutationOptions {
  readonly wait: boolean;
  readonly reason?: string;
}

export function mutation(command: Command): Command {
  return command
    .option("--wait", "wait for the end (default)", true)
    .option("--no-wait", "return when it is accepted")
    .option("--reason <text>", "recorded with the request");
}

/** Shows the operation; an error when it was waited for and is not done. */
export function finish(session: Session, operation: Accepted, { wait }: MutationOptions): void {
  const { print, timeoutMs } = session;
  print.list(
    [
      { title: "OPERATION", value: (row) => row.operation },
      { title: "ACTION", value: (row) => row.action ?? "" },
      { title: "TARGET", value: (row) => row.target ?? "", canShrink: true },
      { title: "STATE", value: (row) => row.state },
    ],
    [operation],
    (row) => `operation/${row.operation}`,
  );
  if (wait) requireDone(operation, timeoutMs);
}
