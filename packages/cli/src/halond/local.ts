import { join } from "node:path";
import type { Io } from "../io.ts";
import { type Child, startChild } from "./child.ts";
import type { StartOptions } from "./options.ts";
import type { NodeOptions } from "./run.ts";
import { onSignals } from "./signals.ts";
import { applyAll, compileAll } from "./start.ts";

/** How long a child may take to stop before it is killed. */
const stopMs = 15_000;

/**
 * Runs N nodes as child processes until they are told to stop; gives the exit code.
 *
 * The children are real nodes: when this launcher is killed by force they go on, and a child that dies is not
 * started again but its command is printed.
 */
export async function startLocal(
  options: StartOptions & { readonly local: number },
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
  const launch = (node: NodeOptions) => {
    const command = [...program, ...argumentsOf(node)];
    const child = startChild({
      name: node.name,
      command,
      onReady: (line) => io.out(`${line}\n`),
      onOutput: (line) => io.err(`${node.name} | ${line}\n`),
    });
    children.push(child);
    void child.exited.then((how) => {
      if (isStopping) return;
      io.err(`halond: node ${node.name} ${how}. Start it again with:\n  ${shellLine(command)}\n`);
    });
    return child;
  };
  try {
    const endpoint = await launch(localNode(options, 1, [])).ready;
    const address = endpoint.replace("http://", "");
    const others = Array.from({ length: options.local - 1 }, (_, at) => at + 2);
    await Promise.all(others.map((number) => launch(localNode(options, number, [address])).ready));
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

/** The options of node `number` of a local cluster. */
export function localNode(
  { node }: StartOptions,
  number: number,
  joinAddresses: readonly string[],
): NodeOptions {
  const name = `node-${number}`;
  const { host, port } = node.listen;
  return {
    ...node,
    name,
    dataDir: join(node.dataDir, name),
    listen: { host, port: port === 0 ? 0 : port + (number - 1) * 10 },
    join: joinAddresses,
    log: {
      ...node.log,
      file: node.log.file === undefined ? undefined : `${node.log.file}.${name}`,
    },
  };
}

/** The command line that gives these options. */
export function argumentsOf(node: NodeOptions): readonly string[] {
  const host = node.listen.host.includes(":") ? `[${node.listen.host}]` : node.listen.host;
  return [
    "start",
    ...["--name", node.name],
    ...["--data-dir", node.dataDir],
    ...["--listen", `${host}:${node.listen.port}`],
    ...node.join.flatMap((address) => ["--join", address]),
    ...Object.entries(node.labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...(node.insecure ? ["--insecure"] : []),
    ...["--log.level", node.log.level, "--log.format", node.log.format],
    ...(node.log.file === undefined ? [] : ["--log.file", node.log.file]),
  ];
}

/** A line that a POSIX shell reads as exactly these words. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) =>
      /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
    )
    .join(" ");
}
