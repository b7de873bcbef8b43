/** What the code of one service set in motion in a thread that it shares: timers, sockets, servers, processes. */
export interface Possessions {
  add(resource: object): void;
  /** Ends all of them, without a word to the code that waits for them. */
  end(): void;
}

/** A resource of the event loop by what it can do; timers and handles have no common type. */
interface Resource {
  readonly close?: () => unknown;
  readonly kill?: (signal: number) => void;
  readonly stopThread?: () => void;
}

/** Types of `async_hooks` that outlast a callback. Requests end by themselves. */
export const possessionTypes: ReadonlySet<string> = new Set([
  "Timeout",
  "Immediate",
  "TCPWRAP",
  "TCPSERVERWRAP",
  "PIPEWRAP",
  "PIPESERVERWRAP",
  "UDPWRAP",
  "HTTP2SESSION",
  "FSEVENTWRAP",
  "STATWATCHER",
  "FILEHANDLE",
  "PROCESSWRAP",
  "WORKER",
  "MESSAGEPORT",
]);

const sigkill = 9;

/** Without possessions. Holds none of them back from the garbage collector. */
export function createPossessions(): Possessions {
  let held: WeakRef<object>[] = [];
  let sweepAt = 64;
  return {
    add(resource) {
      held.push(new WeakRef(resource));
      if (held.length < sweepAt) return;
      held = held.filter((each) => each.deref() !== undefined);
      sweepAt = Math.max(64, held.length * 2);
    },
    end() {
      for (const each of held) endOne(each.deref());
      held = [];
    },
  };
}

function endOne(resource: object | undefined): void {
  if (resource === undefined) return;
  const kind = resource.constructor?.name;
  if (kind === "Timeout") clearTimeout(resource as NodeJS.Timeout);
  else if (kind === "Immediate") clearImmediate(resource as NodeJS.Immediate);
  else endHandle(resource as Resource);
}

function endHandle(resource: Resource): void {
  try {
    // A child that is killed is closed by its exit; closed before, it would stay as a zombie.
    if (resource.kill !== undefined) resource.kill(sigkill);
    else if (resource.stopThread !== undefined) resource.stopThread();
    else resource.close?.();
  } catch {
    // One that was closed already, or cannot be closed; what runs on in spite of that ends the thread.
  }
}
