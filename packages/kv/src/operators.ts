import type { Draft } from "./draft.ts";
import { equal } from "./equal.ts";
import { addWhole, isNumeric, negated } from "./integer.ts";
import { canReadLock, isReadLocked, isUnlocked, readHolders } from "./locks.ts";
import { withObserver, withoutObserver } from "./observers.ts";
import { Tree } from "./tree.ts";
import { expiryFor } from "./ttl.ts";
import type { Value } from "./value.ts";

/** One operator at work. It answers false, having changed nothing, when it refuses its arguments or what it meets. */
type Operator = (target: Target) => boolean;

interface Target {
  readonly draft: Draft;
  readonly path: string;
  readonly segments: readonly string[];
  readonly args: Tree;
}

/**
 * Carries out one operation: an operator when it is an object with a member `op`, else an assignment.
 *
 * Answers false, having changed nothing, when the operator refuses.
 */
export function applyOperation(
  draft: Draft,
  path: string,
  segments: readonly string[],
  operation: Value,
): boolean {
  const name = operation instanceof Tree ? operation.get("op") : undefined;
  if (name === undefined || !(operation instanceof Tree)) {
    draft.assign(segments, operation, null);
    return true;
  }
  if (name === "set") return set(draft, segments, operation);
  const operator = typeof name === "string" ? operators.get(name) : undefined;
  return operator?.({ draft, path, segments, args: operation }) ?? false;
}

/** Whether there is a state in which the operation is refused. */
export function canFail(operation: Value): boolean {
  if (!(operation instanceof Tree)) return false;
  const name = operation.get("op");
  if (name === undefined || name === "delete") return false;
  return name !== "set" || !operation.has("new");
}

const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["delete", remove],
  ["increment", (target) => add(target, stepOf(target.args))],
  ["decrement", (target) => add(target, negated(stepOf(target.args)))],
  ["push", (target) => extend(target, (list, added) => [...list, added])],
  ["prepend", (target) => extend(target, (list, added) => [added, ...list])],
  ["pop", (target) => put(target, listAt(target).slice(0, -1))],
  ["shift", (target) => put(target, listAt(target).slice(1))],
  ["erase", erase],
  ["replace", replace],
  ["push-queue", pushQueue],
  ["observe", observe],
  ["unobserve", unobserve],
  ["read-lock", readLock],
  ["read-unlock", readUnlock],
  ["write-lock", writeLock],
  ["write-unlock", writeUnlock],
]);

function current({ draft, segments }: Target): Value | undefined {
  return draft.get(segments);
}

function put({ draft, segments }: Target, value: Value): true {
  draft.assign(segments, value, null);
  return true;
}

function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** The array that is there; one without elements in place of anything else. */
function listAt(target: Target): readonly Value[] {
  const value = current(target);
  return isList(value) ? value : [];
}

function set(draft: Draft, segments: readonly string[], args: Tree): boolean {
  const value = args.get("new");
  if (value === undefined) return false;
  draft.assign(segments, value, expiryFor(args.get("ttl"), draft.stamp.logTime));
  return true;
}

function remove({ draft, segments }: Target): boolean {
  draft.remove(segments);
  return true;
}

function stepOf(args: Tree): number | bigint {
  const step = args.get("step");
  return isNumeric(step) ? step : 1;
}

function add(target: Target, step: number | bigint): boolean {
  const value = current(target);
  const sum = addWhole(isNumeric(value) ? value : 0, step);
  return sum !== undefined && put(target, sum);
}

function extend(target: Target, join: (list: readonly Value[], added: Value) => Value): boolean {
  const added = target.args.get("new");
  return added !== undefined && put(target, join(listAt(target), added));
}

function erase(target: Target): boolean {
  const value = target.args.get("val");
  const position = target.args.get("pos");
  if ((value === undefined) === (position === undefined)) return false;
  if (position !== undefined && !isCount(position)) return false;
  const found = current(target);
  if (found === undefined) return true;
  if (!isList(found)) return put(target, []);
  if (value !== undefined) {
    return put(
      target,
      found.filter((element) => !equal(element, value)),
    );
  }
  if (!isCount(position) || position >= found.length) return false;
  return put(target, found.toSpliced(position, 1));
}

function isCount(value: Value | undefined): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function replace(target: Target): boolean {
  const found = current(target);
  if (found === undefined) return true;
  const value = target.args.get("val");
  const substitute = target.args.get("new");
  if (value === undefined || substitute === undefined) return false;
  if (!isList(found)) return put(target, []);
  return put(
    target,
    found.map((element) => (equal(element, value) ? substitute : element)),
  );
}

function pushQueue(target: Target): boolean {
  const added = target.args.get("new");
  const length = target.args.get("len");
  if (added === undefined || !isCount(length)) return false;
  const list = [...listAt(target), added];
  return put(target, list.slice(Math.max(0, list.length - length)));
}

function observe({ draft, path, args }: Target): boolean {
  const url = args.get("url");
  if (typeof url === "string") {
    draft.observers = withObserver(draft.observers, path, url, draft.edit);
  }
  return true;
}

function unobserve({ draft, path, args }: Target): boolean {
  const url = args.get("url");
  if (typeof url === "string") {
    draft.observers = withoutObserver(draft.observers, path, url, draft.edit);
  }
  return true;
}

function readLock(target: Target): boolean {
  const by = target.args.get("by");
  const value = current(target);
  if (typeof by !== "string" || !canReadLock(value, by)) return false;
  return put(target, [...(readHolders(value) ?? []), by]);
}

function readUnlock(target: Target): boolean {
  const by = target.args.get("by");
  const value = current(target);
  if (typeof by !== "string" || !isReadLocked(value, by)) return false;
  const rest = readHolders(value)?.filter((holder) => holder !== by) ?? [];
  return rest.length === 0 ? remove(target) : put(target, rest);
}

function writeLock(target: Target): boolean {
  const by = target.args.get("by");
  return typeof by === "string" && isUnlocked(current(target)) && put(target, by);
}

function writeUnlock(target: Target): boolean {
  const by = target.args.get("by");
  return typeof by === "string" && current(target) === by && remove(target);
}
