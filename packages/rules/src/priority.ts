const priorityMax = 1_000;

/** Throws a RangeError on what is no priority. */
export function checkedPriority(priority: number): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= priorityMax) return priority + 0;
  throw new RangeError(
    `priority is ${String(priority)}; it is a whole number from -${priorityMax} to ${priorityMax}`,
  );
}
