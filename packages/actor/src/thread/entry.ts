import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { toErrorData } from "@halon/protocol";
import type { ExitReason, Handlers, Self } from "../core/behaviour.ts";
import { SystemCore } from "../system-core.ts";
import { type ThreadFrame, ThreadRoute, type ThreadStart } from "./wire.ts";

/** What the entry module of a thread exports as `behaviour`. */
export type WorkerBehaviour = (self: Self, args: unknown) => Handlers | Promise<Handlers>;

if (parentPort !== null) await run(parentPort, workerData as ThreadStart);

async function run(port: MessagePort, start: ThreadStart): Promise<void> {
  const parent = new ThreadRoute(port);
  const end = (reason: ExitReason): void => {
    parent.flush();
    port.postMessage({ type: "ended", reason } satisfies ThreadFrame);
    process.exit(0);
  };
  let hasEnded = false;
  // The main thread tells watchers at the `exit`: only then is nothing of it running any more. What still comes in
  // is not read, or it would be answered with `noproc` before that.
  const core = new SystemCore(start.id, (pid, reason) => {
    if (pid !== start.pid) return false;
    hasEnded = true;
    setImmediate(end, reason);
    return true;
  });
  core.routes.parent = parent;
  const deliver = (signal: Parameters<typeof core.receive>[0]): void =>
    core.receive(signal, "thread");
  const held: ThreadFrame[] = [];
  let take = (frame: ThreadFrame): unknown => held.push(frame);
  port.on("message", (frame: ThreadFrame) => take(frame));
  const module = await load(start.entry);
  if (typeof module === "string") {
    end({ error: { code: "HAL_SERVICE_LOAD", message: module } });
    return;
  }
  core.spawn((self) => module(self, start.args), {
    ...(start.name === null ? {} : { name: start.name }),
    ...(start.mailboxMax === null ? {} : { mailboxMax: start.mailboxMax }),
  });
  take = (frame) => {
    if (hasEnded) return;
    if (frame.type === "connect") connect(core, frame.thread, frame.port, () => hasEnded);
    else if (frame.type === "signals") parent.take(frame, deliver);
  };
  for (const frame of held) take(frame);
}

function connect(
  core: SystemCore,
  thread: number,
  port: MessagePort,
  hasEnded: () => boolean,
): void {
  const route = new ThreadRoute(port);
  core.routes.setThread(thread, route);
  port.on("message", (frame: ThreadFrame) => {
    if (!hasEnded() && frame.type === "signals")
      route.take(frame, (signal) => core.receive(signal, "thread"));
  });
  port.on("close", () => core.routes.deleteThread(thread));
}

/** The behaviour, or why there is none. */
async function load(entry: string): Promise<WorkerBehaviour | string> {
  try {
    const module: unknown = await import(entry);
    if (typeof module === "object" && module !== null && "behaviour" in module) {
      if (typeof module.behaviour === "function") return module.behaviour as WorkerBehaviour;
    }
    return `Expected ${entry} to export a function named "behaviour".`;
  } catch (error) {
    return `${entry} does not load: ${toErrorData(error).message}`;
  }
}
