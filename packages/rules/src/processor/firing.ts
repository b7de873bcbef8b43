import type { EventType, Json } from "@halon/protocol";
import { z } from "zod";
import type { Match } from "../pattern/match.ts";
import { plain } from "../plain.ts";
import type { StepRule } from "../rule.ts";
import type { FileState } from "./file-state.ts";
import { absentNames } from "./visible-uses.ts";

/** Events that one firing may publish. */
export const publishedMax = 100;
/** Characters of JSON that a rule may remember under one key. */
const memoryValueMax = 1_048_576;

/** A rule of a file, `<file>/<rule>`. */
export interface FiredRule {
  readonly id: string;
  readonly rule: StepRule;
}

/** An event that a rule published: it is for the decision log. */
export interface Published {
  readonly rule: string;
  readonly type: string;
  readonly version: number;
  readonly data: Json;
}

/** What a rule fires on. */
export interface Occasion {
  readonly match: Match | null;
  readonly event: Json;
  readonly now: number;
  /** What the conditions of all rules on single events see alike. */
  readonly where?: object;
}

/** In place of what rules of the coordinator have: their use is told by name. */
const absent: object = Object.freeze(
  Object.defineProperties(
    {},
    Object.fromEntries(
      absentNames.map((name) => [
        name,
        {
          get: (): never => {
            throw new TypeError(
              `${name} is not there for rules that run on nodes; they have event, match, now, memory, publish and why`,
            );
          },
        },
      ]),
    ),
  ),
);

/**
 * Runs the rule when its conditions hold: what it published, null when they do not.
 *
 * What its code throws comes out, and nothing that it did stays.
 */
export function fire(
  state: FileState,
  { id, rule }: FiredRule,
  { match, event, now, where }: Occasion,
): readonly Published[] | null {
  const shown = match === null ? undefined : rule.pattern?.show(match);
  if (rule.conditions.length > 0) {
    const seen = where ?? whereContext(state, event, now, shown);
    for (const condition of rule.conditions) if (!condition(seen as never)) return null;
  }
  const remembered = new Map<string, Json>();
  const published: Published[] = [];
  const reasons: string[] = [];
  const context = {
    __proto__: absent,
    match: shown,
    event,
    now,
    memory: {
      get: (key: string) => recall(state, remembered, key),
      set: (key: string, value: unknown) => void remembered.set(key, bounded(key, plain(value))),
    },
    publish: (type: EventType, data: unknown) =>
      void published.push(checked(state, id, type, data, published.length)),
    why: (text: string) => void reasons.push(String(text)),
  };
  const returned: unknown = rule.action(context as never);
  if (typeof returned === "object" && returned !== null && "then" in returned)
    throw new TypeError("a rule's action must not return a promise");
  for (const [key, value] of remembered) state.remember(key, value);
  if (reasons.length > 0) state.said(id, reasons.join("; "));
  return published;
}

/** What conditions see. */
export function whereContext(
  { reader }: Pick<FileState, "reader">,
  event: Json,
  now: number,
  match: unknown,
): object {
  return { __proto__: absent, match, event, now, memory: reader };
}

function recall(state: FileState, own: ReadonlyMap<string, Json>, key: string): Json | undefined {
  const value = own.has(key) ? own.get(key) : state.memory.get(key);
  return value === null ? undefined : value;
}

function bounded(key: string, value: Json): Json {
  const { length } = JSON.stringify(value);
  if (length <= memoryValueMax) return value;
  throw new RangeError(
    `the value of "${key}" is ${length} characters of JSON, a rule may remember ${memoryValueMax}`,
  );
}

/** Of a declared type, and of its schema: what the log would refuse is told to its author here. */
function checked(
  state: FileState,
  rule: string,
  { type, version }: EventType,
  data: unknown,
  count: number,
): Published {
  const known = state.publishes.get(type);
  if (known === undefined)
    throw new TypeError(
      `${type} is not among the events of the file; name it in defineRules(…, { runs: "node", events: […] })`,
    );
  if (count >= publishedMax)
    throw new RangeError(`a rule may publish ${publishedMax} events at once, not more`);
  const parsed = known.schema.safeParse(data);
  if (!parsed.success) throw new TypeError(`${type}: ${z.prettifyError(parsed.error)}`);
  return { rule, type, version, data: plain(data) };
}
