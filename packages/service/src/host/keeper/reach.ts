import { closeSync, constants, openSync } from "node:fs";
import { connect } from "node:net";
import { isRunning, type ProcessId } from "../process/proc.ts";
import { type Keeper, type KeeperEvent, KeeperLink } from "./link.ts";
import { keeperSocket } from "./wire.ts";

const lookMs = 20;

/** Comes back to a keeper that an earlier `halond` started in this directory; nothing is told from within the call. */
export function reachKeeper(
  id: ProcessId,
  directory: string,
  listener: (event: KeeperEvent) => void,
): Keeper {
  // By way of the open directory the path is short, however long that of the directory is.
  const opened = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const socket = connect(`/proc/self/fd/${opened}/${keeperSocket}`);
  const link = new KeeperLink(id, socket, listener);
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(opened);
    isOpen = false;
  };
  socket.once("connect", close);
  socket.once("close", () => {
    close();
    if (link.isReleased) return;
    // Without a way to it nobody can renew: what it keeps ends, and is to be started anew.
    const timer = setInterval(() => {
      if (isRunning(id)) {
        link.dismiss();
        return;
      }
      clearInterval(timer);
      link.gone();
    }, lookMs);
  });
  return link;
}
