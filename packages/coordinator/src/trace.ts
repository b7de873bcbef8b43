import { appendFileSync } from "node:fs";

/** The points that a recovery passes, in this order. Their stamps are compared across threads and processes. */
export type TracePoint =
  | "exit"
  | "sent"
  | "tracked"
  | "received"
  | "decided"
  | "durable"
  | "told"
  | "command"
  | "spawn"
  | "spawned"
  | "ready";

const path = process.env["HALON_TRACE"];
/** Long enough that no write falls into the recovery that it tells of. */
const writeAfterMs = 250;
let waiting = "";

/**
 * Notes that an instance passes a point, where `HALON_TRACE` named a file when this process started.
 *
 * Lines `<monotonic ns> <point> <instance>`, appended some time later; what waits at a crash is lost.
 */
export function trace(point: TracePoint, instance: unknown): void {
  if (path === undefined || path === "") return;
  if (waiting === "") setTimeout(() => write(path), writeAfterMs).unref();
  waiting += `${process.hrtime.bigint()} ${point} ${String(instance)}\n`;
}

/** The same for an instance whose end or readiness its node is about to report. */
export function traceReport(type: string, data: unknown): void {
  if (path === undefined || path === "") return;
  const { instance } = data as { readonly instance?: unknown };
  if (type === "ServiceFailed") trace("exit", instance);
  else if (type === "ServiceStarted") trace("ready", instance);
}

/** The same for the instances that these events report as failed. */
export function traceFailures(
  point: TracePoint,
  events: readonly { readonly event: { readonly type: string; readonly data: unknown } }[],
): void {
  if (path === undefined || path === "") return;
  for (const { event } of events) {
    if (event.type !== "ServiceFailed") continue;
    trace(point, (event.data as { readonly instance?: unknown }).instance);
  }
}

/** The same for the instances that these commands are to start. */
export function traceStarts(
  point: TracePoint,
  commands: readonly { readonly action: { readonly type: string; readonly instance: string } }[],
): void {
  if (path === undefined || path === "") return;
  for (const { action } of commands)
    if (action.type === "StartService") trace(point, action.instance);
}

function write(file: string): void {
  const lines = waiting;
  waiting = "";
  try {
    appendFileSync(file, lines, { mode: 0o600 });
  } catch {
    // A trace that cannot be written must not end what it looks at.
  }
}
