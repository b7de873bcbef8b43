import type { AgencyEnd, RunningAgencyNode } from "@halon/node/agency";
import { deferred } from "../../deferred.ts";
import { clean } from "../../failure.ts";
import type { Io } from "../../io.ts";
import { onSignals } from "../signals.ts";

/** Runs one member in this process until it has ended; gives the exit code. */
export async function runAgency(start: () => Promise<RunningAgencyNode>, io: Io): Promise<number> {
  let node: RunningAgencyNode | undefined;
  let isWanted = true;
  const stopped = deferred<void>();
  const off = onSignals({
    stop: () => {
      isWanted = false;
      node?.stop().then(stopped.resolve, stopped.reject);
    },
    abandon: () => process.exit(1),
    reopenLogs: () => node?.reopenLog(),
  });
  try {
    node = await start();
    if (!isWanted) {
      await node.stop();
      return 0;
    }
    const { name, endpoint, id } = node;
    io.out(`halond ready name=${name} endpoint=http://${endpoint} role=agency id=${id}\n`);
    const end = await Promise.race([node.ended, stopped.promise]);
    return end === undefined ? 0 : await endBy(end, node, io);
  } finally {
    off();
  }
}

async function endBy(
  { reason, exitCode }: AgencyEnd,
  node: RunningAgencyNode,
  io: Io,
): Promise<number> {
  io.err(`halond: ${clean(reason)}\n`);
  await node.stop();
  return exitCode;
}
