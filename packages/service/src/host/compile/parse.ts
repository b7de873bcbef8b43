import { HalonError } from "@halon/protocol";
import type { z } from "zod";

/** Parses what an author wrote. Throws HAL_CONFIG_INVALID with the path of the first field that is wrong. */
export function parseAuthored<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = deepest(parsed.error.issues[0]);
  if (issue === undefined) throw new HalonError("HAL_CONFIG_INVALID", `${file} is not valid.`);
  const path = pathText(issue.path);
  const found = at(value, issue.path);
  const isTold = issue.code === "unrecognized_keys" || issue.message.includes(", got ");
  const got = isTold ? "" : `, got ${textOf(found)}`;
  const what = issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, "");
  throw new HalonError(
    "HAL_CONFIG_INVALID",
    `${file}: ${path === "" ? "" : `${path}: `}${what}${got}. Correct it and apply again.`,
  );
}

/** In a union, the complaint of the member that came furthest. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== "invalid_union") return issue;
  const inner = issue.errors.map((errors) => deepest(errors[0]));
  const best = inner.find((candidate) => candidate !== undefined && candidate.path.length > 0);
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<PropertyKey, unknown>)[part];
  }
  return found;
}

function textOf(value: unknown): string {
  if (value === undefined) return "nothing";
  return JSON.stringify(value).slice(0, 120);
}
