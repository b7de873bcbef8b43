import type { Draft } from "./draft.ts";
import { equal } from "./equal.ts";
import { writeJson } from "./json-writer.ts";
import type { Found } from "./locate.ts";
import { canReadLock, isReadLocked, isUnlocked } from "./locks.ts";
import { segmentsOf } from "./path.ts";
import type { WriteTransaction } from "./transaction.ts";
import { Tree } from "./tree.ts";
import { unexpired } from "./ttl.ts";
import type { Value } from "./value.ts";

/** The paths whose conditions do not all hold, in the order of the request. */
export function failingPaths(
  draft: Draft,
  preconditions: WriteTransaction["preconditions"],
): readonly string[] {
  return preconditions
    .filter(([path, condition]) => !holds(draft, path, condition))
    .map(([path]) => path);
}

function holds(draft: Draft, path: string, condition: Value): boolean {
  const value = visible(draft.find(segmentsOf(path)), draft.stamp.logTime);
  if (!(condition instanceof Tree)) return isOld(value, condition);
  for (const [name, argument] of condition.entries()) {
    if (conditions.get(name)?.(value, argument) !== true) return false;
  }
  return true;
}

function visible(found: Found | undefined, now: number): Value | undefined {
  return found && unexpired(found.value, found.ttls, now);
}

/** Whether a condition holds of the value, which is undefined when the path is missing. */
type Condition = (value: Value | undefined, argument: Value) => boolean;

const conditions: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ["old", isOld],
  ["oldNot", (value, argument) => !isOld(value, argument)],
  ["oldEmpty", (value, argument) => argument === (value === undefined)],
  ["isArray", (value, argument) => argument === Array.isArray(value)],
  ["in", (value, argument) => isList(value) && contains(value, argument)],
  [
    "notin",
    (value, argument) => value === undefined || (isList(value) && !contains(value, argument)),
  ],
  ["intersectionEmpty", isIntersectionEmpty],
  ["is-write-locked", (value, by) => typeof by === "string" && value === by],
  ["is-read-locked", (value, by) => typeof by === "string" && isReadLocked(value, by)],
  ["can-write-lock", (value, by) => typeof by === "string" && isUnlocked(value)],
  ["can-read-lock", (value, by) => typeof by === "string" && canReadLock(value, by)],
]);

/** A missing path compares as an empty object. */
function isOld(value: Value | undefined, expected: Value): boolean {
  return equal(value === undefined ? Tree.empty : value, expected);
}

function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

function contains(list: readonly Value[], wanted: Value): boolean {
  return list.some((element) => equal(element, wanted));
}

function isIntersectionEmpty(value: Value | undefined, argument: Value): boolean {
  if (!isList(argument)) return false;
  if (!isList(value)) return true;
  if (value.length * argument.length <= pairsMax) {
    return !value.some((element) => contains(argument, element));
  }
  // Equal values have equal text: members are in the order of their content, and a number has one form.
  const texts = new Set(argument.map(writeJson));
  return !value.some((element) => texts.has(writeJson(element)));
}

/** Up to here, comparing each with each is the cheaper way. */
const pairsMax = 256;
