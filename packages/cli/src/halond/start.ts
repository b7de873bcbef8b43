import { deferred } from "../deferred.ts";
import type { Io } from "../io.ts";
import { applyAll, compileAll } from "./apply.ts";
import type { StartOptions } from "./options.ts";
import type { RunningNode, StartContext, StartNode } from "./run.ts";
import { onSignals } from "./signals.ts";

/** Runs one node in this process until it has ended; gives the exit code. */
export async function startOne(options: StartOptions, start: StartNode, io: Io): Promise<number> {
  const allowed = await allowedBy(options.node.allowRun);
  // A broken cluster file ends the start before anything runs.
  const clusters = await compileAll(options.apply);
  let node: RunningNode | undefined;
  let wanted: { readonly keepServices: boolean } | undefined;
  const starting = new AbortController();
  const stopped = deferred<void>();
  const stop = (how: { readonly keepServices: boolean }) => {
    wanted = how;
    starting.abort();
    node?.stop(how).then(stopped.resolve, stopped.reject);
  };
  const off = onSignals({
    stop,
    abandon: () => process.exit(1),
    reopenLogs: () => node?.reopenLog(),
  });
  try {
    node = await start(options.node, {
      print: (text) => io.err(`${text}\n`),
      signal: starting.signal,
      ...(allowed === undefined ? {} : { allowed }),
    });
    if (wanted !== undefined) {
      await node.stop(wanted);
      return 0;
    }
    const endpoint = `http://${node.endpoint}`;
    io.out(
      `halond ready name=${node.name} endpoint=${endpoint} role=${node.role} leader=${node.leader}\n`,
    );
    await applyAll(endpoint, clusters, io);
    await Promise.race([node.ended, stopped.promise]);
    return 0;
  } catch (error) {
    // Stopped by a person while it waited for others: that is no failure.
    if (starting.signal.aborted && error === starting.signal.reason) return 0;
    throw error;
  } finally {
    off();
  }
}

async function allowedBy(path: string | undefined): Promise<StartContext["allowed"]> {
  return path === undefined
    ? undefined
    : (await import("./allow-run.ts")).readAllowedPrograms(path);
}
