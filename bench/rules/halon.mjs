import { defineEvent } from "@halon/protocol";
import { count, debounce, defineRules, indexRules, Matching, on, runRules } from "@halon/rules";
import { z } from "zod";
import { atLeast, levelMin, withinMs } from "./workload.mjs";

const schema = z.strictObject({ node: z.string(), shard: z.number(), level: z.number() });

/** The engine with a host that keeps nothing but windows: no graph, no log, no record. */
export class Halon {
  name = "Halon";
  fired = 0;
  #matching = new Matching();
  #index;
  #host;

  /** `others`: so many rules beside those of the workload, on types of event that never come. */
  constructor({ rules }, others = 0) {
    if (others > 0) this.name = `Halon, N = ${others.toLocaleString("en")}`;
    const fire = () => {
      this.fired += 1;
    };
    const all = [
      ...rules.map((rule) => ruleOf(rule, fire)),
      ...Array.from({ length: others }, (_, i) => otherOf(i, fire)),
    ];
    // Files of a size that people write.
    const files = Array.from({ length: Math.ceil(all.length / 10) }, (_, i) => ({
      name: `file${i}`,
      rules: defineRules(
        Object.fromEntries(all.slice(10 * i, 10 * i + 10).map((rule, j) => [`rule${j}`, rule])),
      ),
    }));
    this.#index = indexRules(files);
    this.#matching.bring(patternsOf(files));
    this.#host = hostOn(this.#matching);
  }

  take(event) {
    const host = this.#host;
    host.now += 1;
    // As the coordinator asks before each decision.
    if (this.#matching.firstDue <= host.now) throw new Error("nothing is to be due here");
    runRules(this.#index, event, host);
  }
}

function ruleOf({ kind, type, shard, quarter }, fire) {
  const event = defineEvent({ type, version: 1, schema });
  if (kind === "single")
    return on(event)
      .where(({ event: { level, shard: own } }) => own === shard && level >= levelMin)
      .do(fire);
  const where = quarter === null ? {} : { where: (e) => e.shard % 4 === quarter };
  return on(count(event, { atLeast, within: withinMs, by: (e) => e.node, ...where })).do(fire);
}

/** In turn on single events, on windows that count, and on windows that end by time. */
function otherOf(i, fire) {
  const type = `Other${Math.floor(i / 10)}`;
  const event = defineEvent({ type, version: 1, schema });
  if (i % 3 === 0) return on(debounce(event, { quiet: withinMs, by: (e) => e.node })).do(fire);
  const kind = i % 3 === 1 ? "single" : "window";
  return ruleOf({ kind, type, shard: i % 10, quarter: null }, fire);
}

export function patternsOf(files) {
  return new Map(
    files.flatMap(({ name, rules }) =>
      Object.entries(rules.rules).flatMap(([rule, { pattern }]) =>
        pattern === undefined ? [] : [[`${name}/${rule}`, pattern.description]],
      ),
    ),
  );
}

function hostOn(matching) {
  const nothing = () => undefined;
  const none = () => [];
  const update = {
    put: nothing,
    patch: nothing,
    remove: nothing,
    relate: nothing,
    unrelate: nothing,
  };
  const view = { revision: 0, get: nothing, list: none, out: none, in: none, relations: none };
  return {
    transaction: {
      view,
      update,
      savepoint: () => 0,
      rollbackTo: nothing,
      changesSince: none,
    },
    now: 0,
    wallTime: 0,
    epoch: 1,
    memory: nothing,
    memoryKeys: none,
    timerPending: () => false,
    contribute(rule, contribution) {
      return matching.take(rule, contribution, this.now);
    },
    outstanding: none,
    answered: nothing,
    nextCommandId: () => "1.1",
    nextEventId: () => "1-1",
    running: nothing,
    admit: nothing,
    fired: nothing,
  };
}
