/** Where a value is not what JSON can say, and what stands there: `.a[1] is a Date`; undefined when all of it is. */
export function plainProblem(value: unknown): string | undefined {
  return problemAt(value, "", new Set());
}

function problemAt(value: unknown, path: string, above: ReadonlySet<object>): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  }
  // A field that is left undefined is one that is not there.
  if (value === undefined && path !== "") return undefined;
  if (typeof value !== "object") return `${path} is a ${typeof value}`;
  if (above.has(value)) return `${path} contains itself`;
  const inside = new Set([...above, value]);
  if (Array.isArray(value)) {
    return first(value.map((item, at) => problemAt(item, `${path}[${at}]`, inside)));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return `${path} is a ${value.constructor?.name ?? "class"}`;
  }
  return first(
    Object.entries(value).map(([name, member]) => problemAt(member, `${path}.${name}`, inside)),
  );
}

function first(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}
