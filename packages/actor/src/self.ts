import type { Self } from "./core/behaviour.ts";
import type { Process } from "./process.ts";
import type { SystemCore } from "./system-core.ts";

/** What a behaviour gets as its own hands. */
export function makeSelf(core: SystemCore, process: Process): Self {
  return {
    pid: process.pid,
    send: (to, message) => core.send(to, message, process),
    call: (to, message, options) => core.call(to, message, options, process),
    spawn: (behaviour, options) => core.spawn(behaviour, options),
    link: (pid) => core.link(process, pid),
    unlink: (pid) => core.unlink(process, pid),
    monitor: (address) => core.monitor(process, address),
    demonitor: (ref) => core.demonitor(process, ref),
    trapExits: (trap) => {
      process.trapExits = trap;
    },
    stop: (reason = "normal") => core.stop(process, reason),
    exit: (pid, reason) => core.exit(pid, reason, process.pid),
    whereis: (name) => core.whereis(name),
  };
}
