import { builtInEvents, type EventType, HalonError } from "@halon/protocol";
import type { z } from "zod";
import type { Invariant } from "./invariant.ts";
import { checkMachine } from "./job/check-machine.ts";
import { type ConfigurableRules, checkOptionsSchema } from "./options.ts";
import { defineNodeRules, type NodeRule, type NodeRulesOptions } from "./processor/node-rules.ts";
import type { Rule, Rules } from "./rule.ts";

/** What a rule file has beside its rules. */
export interface RulesAbout {
  /** Types of event that its rules publish and are not on. */
  readonly events?: readonly EventType[];
  readonly resources?: Readonly<Record<string, z.ZodType>>;
  readonly invariants?: readonly Invariant[];
}

type RuleMap = Readonly<Record<string, Rule>>;

/** Gives a rule file its value whose rules run in the processor of every node (rfc/0010, Processors). */
export function defineRules(
  rules: Readonly<Record<string, NodeRule>>,
  about: NodeRulesOptions,
): Rules;
/** The same of a file that takes options: the types of event that its rules are on are the same with all of them. */
export function defineRules<S extends z.ZodObject>(
  rules: (options: z.output<S>) => Readonly<Record<string, NodeRule>>,
  about: NodeRulesOptions & { readonly options: S },
): ConfigurableRules;
/**
 * Gives a rule file its value. Rules of one file and one priority act in the order in which they stand here.
 *
 * With `options`, a schema, the rules are a function of these: it is called once for each version of the file that is in force.
 * Types of event that its rules are on are declared with it; `events` names those that it only publishes. Throws
 * HAL_CONFIG_INVALID on a statechart that cannot be run (checkMachine), and on what is declared twice in two ways.
 */
export function defineRules<S extends z.ZodObject>(
  rules: (options: z.output<S>) => RuleMap,
  about: RulesAbout & { readonly options: S },
): ConfigurableRules;
/** Gives a rule file its value that takes no options. */
export function defineRules(rules: RuleMap, about?: RulesAbout): Rules;
export function defineRules(
  rules: RuleMap | ((options: never) => RuleMap),
  {
    options,
    ...about
  }: RulesAbout & { readonly options?: z.ZodObject; readonly runs?: "node" } = {},
): Rules | ConfigurableRules {
  const finish = (given: RuleMap): Rules => {
    checkMap(given);
    return about.runs === "node" ? defineNodeRules(given, about) : finished(given, about);
  };
  if (typeof rules !== "function") return finish(rules);
  return {
    kind: "configurable",
    schema: checkOptionsSchema(options),
    build: (given) => finish(rules(given)),
  };
}

function checkMap(rules: RuleMap): void {
  if (typeof rules !== "object" || rules === null || isPromise(rules))
    throw new HalonError(
      "HAL_CONFIG_INVALID",
      "defineRules: the rules are no object of rules; give one at once, not a promise of one",
    );
}

function finished(rules: RuleMap, about: RulesAbout): Rules {
  for (const [name, rule] of Object.entries(rules))
    if (rule.kind === "statechart") checkMachine(name, rule);
  const heard = Object.values(rules).flatMap(heardBy);
  const declared = new Map([...heard, ...(about.events ?? [])].map((event) => [event.type, event]));
  for (const event of [...heard, ...(about.events ?? [])]) {
    const { type, version } = event;
    const other = declared.get(type)?.version ?? version;
    if (other !== version)
      throw new HalonError(
        "HAL_CONFIG_INVALID",
        `event ${type}: the file declares versions ${version} and ${other}; declare the newest, with \`from\` for the others`,
      );
  }
  const twice = duplicate((about.invariants ?? []).map(({ name }) => name));
  if (twice !== undefined)
    throw new HalonError(
      "HAL_CONFIG_INVALID",
      `invariant ${twice}: two invariants of the file have this name; give one of them another`,
    );
  const own = [...declared.values()].filter(({ type }) => !Object.hasOwn(builtInEvents, type));
  const { resources = {}, invariants = [] } = about;
  return {
    kind: "rules",
    rules,
    events: own,
    resources,
    ...(invariants.length === 0 ? {} : { invariants }),
  };
}

function isPromise(value: object): boolean {
  return "then" in value && typeof value.then === "function";
}

function duplicate(names: readonly string[]): string | undefined {
  return names.find((name, position) => names.indexOf(name) !== position);
}

function heardBy(rule: Rule): readonly EventType[] {
  if (rule.kind === "statechart") return rule.hears.map(({ event }) => event);
  return rule.pattern === undefined ? [rule.event] : rule.pattern.parts.map(({ event }) => event);
}
