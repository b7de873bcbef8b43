import { builtInEvents, type DataOf, type EventType, HalonError, type Json } from "@halon/protocol";
import type { Pattern } from "../pattern/patterns.ts";
import { checkedPriority } from "../priority.ts";
import type { Rule, Rules, StepRule } from "../rule.ts";
import { visibleUses } from "./visible-uses.ts";

/** What a condition of a rule that runs on nodes sees. `now` is the processor's clock in ms since its start. */
export interface NodeWhereContext<D, M = undefined> {
  /** What has matched, of a rule on a pattern. */
  readonly match: M;
  /** Of a pattern: the event that completed it. */
  readonly event: D;
  readonly now: number;
  readonly memory: { get(key: string): Json | undefined };
}

/** What the action of a rule that runs on nodes sees and may do: there is no graph, no command and no timer. */
export interface NodeContext<D, M = undefined> extends NodeWhereContext<D, M> {
  /** Of the file on this node. It ends with the processor. */
  readonly memory: { get(key: string): Json | undefined; set(key: string, value: unknown): void };
  /** Publishes an event of a type in `events` of the file: it goes to the decision log. */
  publish<T extends string, E>(event: EventType<T, E>, data: E): void;
  /** Adds a sentence to what the status of `halon-processor` tells of the rule. */
  why(text: string): void;
}

/** A rule of a file with `runs: "node"`. */
export interface NodeRule extends StepRule {
  readonly runs: "node";
}

/** What a rule file with `runs: "node"` says beside its rules. */
export interface NodeRulesOptions {
  readonly runs: "node";
  /** Types of event that its rules publish. */
  readonly events?: readonly EventType[];
}

interface NodeRuleBuilder<D, M> {
  /** Adds a condition; all must hold. It must not change anything. */
  where(condition: (context: NodeWhereContext<D, M>) => boolean): NodeRuleBuilder<D, M>;
  /** Of rules on one event those of a higher one act first: -1000 to 1000, 0 by default. Throws a RangeError on others. */
  priority(priority: number): NodeRuleBuilder<D, M>;
  do(action: (context: NodeContext<D, M>) => void): NodeRule;
}

/** Begins a rule that runs on nodes, on a pattern over time: it fires on each match. */
export function onNode<D, M>(pattern: Pattern<D, M>): NodeRuleBuilder<D, M>;
/** Begins a rule that runs on nodes, on a type of event. */
export function onNode<E extends EventType<string, never> | EventType>(
  event: E,
): NodeRuleBuilder<DataOf<E>, undefined>;
export function onNode(what: EventType | Pattern<never, unknown>): NodeRuleBuilder<never, never> {
  if (!("kind" in what)) return builder({ event: what, conditions: [] });
  const [first] = what.parts;
  if (first === undefined) throw new TypeError("a pattern is of at least one type of event");
  return builder({ event: first.event, pattern: what, conditions: [] });
}

function builder(begun: Omit<NodeRule, "kind" | "runs" | "action">): NodeRuleBuilder<never, never> {
  return {
    where: (condition) => builder({ ...begun, conditions: [...begun.conditions, condition] }),
    priority: (priority) => builder({ ...begun, priority: checkedPriority(priority) }),
    do: (action) => ({ kind: "step", runs: "node", ...begun, action }),
  };
}

/** Patterns whose windows may be lost with a processor: what they say is of the moment. */
const allowed: readonly string[] = [
  "count",
  "sliding",
  "tumbling",
  "session",
  "throttle",
  "debounce",
];

/** The value of a rule file that runs on nodes. Throws HAL_CONFIG_INVALID on what such a file may not have, naming the rule. */
export function defineNodeRules(
  rules: Readonly<Record<string, Rule>>,
  about: { readonly events?: readonly EventType[] },
): Rules {
  for (const name of ["resources", "invariants"])
    if (name in about) refuse(`${name}: a file with runs: "node" has no graph; remove them`);
  const heard = new Map<string, EventType>();
  for (const [name, rule] of Object.entries(rules))
    for (const event of checkRule(name, rule)) heard.set(event.type, event);
  const published = about.events ?? [];
  for (const { type } of published) {
    if (heard.has(type))
      refuse(
        `events: the rules are on ${type}, so it stays on its node and cannot be published; publish another type`,
      );
    if (Object.hasOwn(builtInEvents, type))
      refuse(`events: ${type} is an event of Halon itself; publish one of your own`);
  }
  const events = new Map([...heard.values(), ...published].map((event) => [event.type, event]));
  return {
    kind: "rules",
    runs: "node",
    rules,
    events: [...events.values()],
    hears: [...heard.keys()],
    resources: {},
  };
}

/** The types of event that it takes. */
function checkRule(name: string, rule: Rule): readonly EventType[] {
  const about = `rule ${name}:`;
  if (rule.kind !== "step")
    refuse(
      `${about} a statechart is kept in the decision log, which a file with runs: "node" has not; put it into another file`,
    );
  const { event, pattern, conditions, action } = rule;
  const type = pattern?.description.type;
  if (type !== undefined && !allowed.includes(type))
    refuse(
      `${about} ${type} waits for what may come later, and a processor forgets that when it ends; rules that run on nodes have ${allowed.join(", ")}`,
    );
  for (const part of [...conditions, action])
    for (const used of visibleUses(part))
      refuse(`${about} it uses ${used}, which is not there for rules that run on nodes`);
  const events = pattern === undefined ? [event] : pattern.parts.map((each) => each.event);
  const builtIn = events.find((each) => Object.hasOwn(builtInEvents, each.type));
  if (builtIn !== undefined)
    refuse(
      `${about} ${builtIn.type} is an event of Halon itself, which is in the decision log only`,
    );
  return events;
}

function refuse(message: string): never {
  throw new HalonError("HAL_CONFIG_INVALID", message);
}
