import { errorCodes } from "@halon/protocol";
import { isPid } from "./core/pid.ts";
import type { Signal } from "./signal.ts";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const any: Check = () => true;
const isRef: Check = (value) => Number.isSafeInteger(value);
const isText: Check = (value) => typeof value === "string";

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isErrorData(value: unknown): boolean {
  return (
    isRecord(value) &&
    isText(value["message"]) &&
    typeof value["code"] === "string" &&
    Object.hasOwn(errorCodes, value["code"]) &&
    (value["details"] === undefined || isRecord(value["details"]))
  );
}

const plainReasons = new Set<unknown>(["normal", "shutdown", "killed", "noproc", "noconnection"]);
const isReason: Check = (value) =>
  plainReasons.has(value) || (isRecord(value) && isErrorData(value["error"]));

const isAddress: Check = (value) =>
  isPid(value) ||
  (isRecord(value) &&
    isText(value["name"]) &&
    (value["node"] === undefined || isText(value["node"])));

const fieldsOf: Readonly<Record<Signal["type"], Fields>> = {
  send: { to: isAddress, from: isPid, message: any },
  call: { to: isAddress, from: isPid, reply: isPid, message: any },
  reply: { to: isPid, value: any },
  failure: { to: isPid, error: isErrorData },
  refused: { to: isPid, address: isAddress, error: isErrorData },
  monitor: { to: isAddress, from: isPid, ref: isRef },
  demonitor: { to: isAddress, from: isPid, ref: isRef },
  resolved: { to: isPid, ref: (value) => value === null || isRef(value), pid: isPid },
  down: { to: isPid, ref: isRef, reason: isReason },
  link: { to: isPid, from: isPid },
  unlink: { to: isPid, from: isPid },
  exit: {
    to: isPid,
    from: isPid,
    reason: isReason,
    linked: (value) => typeof value === "boolean",
  },
  whereis: { to: isAddress, from: isPid },
  gone: {
    start: isText,
    thread: (value) => value === null || isRef(value),
    reason: isReason,
  },
};

/** Whether what a peer sent is a signal. What a message holds is for its receiver to judge. */
export function isSignal(value: unknown): value is Signal {
  if (!isRecord(value)) return false;
  const type = value["type"];
  if (typeof type !== "string" || !Object.hasOwn(fieldsOf, type)) return false;
  const fields = fieldsOf[type as Signal["type"]];
  for (const name in fields) if (fields[name]?.(value[name]) !== true) return false;
  return true;
}
