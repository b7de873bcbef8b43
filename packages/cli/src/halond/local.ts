import { setTimeout as delay } from "node:timers/promises";
import type { Io } from "../io.ts";
import { applyAll, compileAll } from "./apply.ts";
import { type Child, startChild } from "./child.ts";
import {
  argumentsOf,
  type LocalOptions,
  localDirectory,
  localNode,
  masterAddress,
  shellLine,
} from "./local-nodes.ts";
import { loadEndpointOf, type NodeOptions } from "./run.ts";
import { onSignals } from "./signals.ts";

/** How long a child may take to stop before it is killed. */
const stopMs = 15_000;

/** How often the first node is asked for the port that it got. */
const portPollMs = 50;

/**
 * Runs N nodes as child processes until they are told to stop; gives the exit code.
 *
 * The children are real nodes: when this launcher is killed by force they go on, and a child that dies is not
 * started again but its command is printed.
 */
export async function startLocal(
  options: LocalOptions,
  program: readonly string[],
  io: Io,
): Promise<number> {
  const clusters = await compileAll(options.apply);
  const children: Child[] = [];
  let isStopping = false;
  const stopAll = async (signal: NodeJS.Signals) => {
    isStopping = true;
    await Promise.all(children.map((child) => child.stop(signal, stopMs)));
  };
  const off = onSignals({
    stop: ({ keepServices }) => void stopAll(keepServices ? "SIGUSR2" : "SIGTERM"),
    abandon: () => {
      for (const child of children) child.signal("SIGKILL");
    },
    reopenLogs: () => {
      for (const child of children) child.signal("SIGHUP");
    },
  });
  const launch = (number: number, master: string | null): Child => {
    const child = launchNode(localNode(options, number, master), program, io, () => isStopping);
    children.push(child);
    return child;
  };
  try {
    const first = launch(1, null);
    const master = await masterFor(options, first);
    const others = Array.from({ length: options.local - 1 }, (_, at) => at + 2);
    if (!isStopping) for (const number of others) launch(number, master);
    // The first is not ready before the others are there.
    const [endpoint = ""] = await Promise.all(children.map((child) => child.ready));
    await applyAll(endpoint, clusters, io);
    if (!isStopping) io.out(`cluster ready endpoint=${endpoint} dashboard=none\n`);
    await Promise.all(children.map((child) => child.exited));
    return isStopping ? 0 : 1;
  } catch (error) {
    // Stopped by a person while it started: that is no failure.
    const wasStopping = isStopping;
    await stopAll("SIGTERM");
    if (wasStopping) return 0;
    throw error;
  } finally {
    off();
  }
}

function launchNode(
  node: NodeOptions,
  program: readonly string[],
  io: Io,
  isStopping: () => boolean,
): Child {
  const name = node.name ?? "";
  const child = startChild({
    name,
    command: [...program, ...argumentsOf(node)],
    onReady: (line) => io.out(`${line}\n`),
    onOutput: (line) => io.err(`${name} | ${line}\n`),
  });
  void child.exited.then((how) => {
    if (isStopping()) return;
    // To forget was asked for once.
    const again = [...program, ...argumentsOf({ ...node, forgetSetup: false })];
    io.err(`halond: node ${name} ${how}. Start it again with:\n  ${shellLine(again)}\n`);
  });
  return child;
}

/** `host:port` of the first node, for those that join it; null when none does. */
async function masterFor(options: LocalOptions, first: Child): Promise<string | null> {
  const { local } = options;
  const hasNew = Array.from({ length: local - 1 }, (_, at) => at + 2).some(
    (number) => !localDirectory(options, number).isKnown,
  );
  if (!hasNew) return null;
  const known = masterAddress(options);
  if (known !== null) return known;
  const endpointOf = await loadEndpointOf();
  const { dataDir } = localDirectory(options, 1);
  for (;;) {
    const endpoint = await endpointOf(dataDir);
    if (endpoint !== undefined && endpoint !== "") return endpoint;
    // It tells why it ended.
    if (!first.isRunning()) await first.ready;
    await delay(portPollMs);
  }
}
