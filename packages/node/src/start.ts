import { HalonError } from "@halon/protocol";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { addressOf } from "./core/bootstrap-setup.ts";
import { openDataDir } from "./data-dir.ts";
import { type Door, openDoor } from "./door.ts";
import { openLog } from "./log.ts";
import { Node } from "./node.ts";
import type { NodeOptions, RunningNode, StartContext } from "./options.ts";
import { listensAt, loadSetup } from "./setup.ts";

/**
 * Starts a node; resolves when a leader has taken it in. Until then the listener answers who it is, and hellos.
 *
 * Errors name what stands in the way and the remedy.
 */
export async function startNode(options: NodeOptions, context: StartContext): Promise<RunningNode> {
  if (process.platform !== "linux") {
    throw new HalonError("HAL_PLATFORM", `halond runs on Linux only; this is ${process.platform}.`);
  }
  const dataDir = await openDataDir(options.dataDir);
  let door: Door | undefined;
  let node: Node | undefined;
  try {
    const known = loadSetup(dataDir.path, options, Date.now());
    const log = openLog({ ...options.log, name: known.name });
    door = await openDoor(known, log.logger);
    const { hear, port } = door;
    const listening = listensAt(known, port);
    dataDir.announce(addressOf(listening));
    const setup = await bootstrap({
      dataDir: dataDir.path,
      setup: listening,
      hear,
      print: (text) => context.print(text),
      signal: context.signal,
    });
    const { labels } = options;
    const { allowed = new Map() } = context;
    node = await Node.open({ setup, labels, allowed, dataDir, door, log });
    return await node.start(context.signal);
  } catch (error) {
    await node?.abandon();
    await door?.close(0);
    dataDir.release();
    throw error;
  }
}
