import { createRequire } from "node:module";
import { join } from "node:path";
import { atLeast, levelMin, withinMs } from "./workload.mjs";

export const versions = ["json-rules-engine@7.3.1", "rools@2.3.0", "rxjs@7.8.2"];

/** The libraries that are installed in `dir`. */
export function loadPeers(dir) {
  const require = createRequire(join(dir, "package.json"));
  const jsonRules = require("json-rules-engine");
  const rools = require("rools");
  const rxjs = require("rxjs");
  return {
    of(workload) {
      // Neither of the first two has windows.
      if (workload.name === "windows") return [startRxjs(rxjs, workload)];
      const byType = workload.types > 1;
      return [
        ...(byType ? [startJsonRules(jsonRules, workload, true)] : []),
        startJsonRules(jsonRules, workload, false),
        ...(byType ? [startRools(rools, workload, true)] : []),
        startRools(rools, workload, false),
        startRxjs(rxjs, workload),
      ];
    },
  };
}

/** `isSplit`: an engine for each type of event, as neither library finds rules by type itself. */
function startJsonRules({ Engine }, { rules }, isSplit) {
  const self = {
    name: `json-rules-engine${isSplit ? ", one a type" : ""}`,
    fired: 0,
    batch: 10,
  };
  const engines = split(rules, isSplit, (own) => {
    const engine = new Engine();
    for (const { type, shard } of own) {
      const all = [
        ...(isSplit ? [] : [{ fact: "type", operator: "equal", value: type }]),
        { fact: "shard", operator: "equal", value: shard },
        { fact: "level", operator: "greaterThanInclusive", value: levelMin },
      ];
      engine.addRule({ conditions: { all }, event: { type: "fired" } });
    }
    engine.on("fired", () => {
      self.fired += 1;
    });
    return engine;
  });
  self.take = ({ type, data }) =>
    engines.get(isSplit ? type : "").run({ type, shard: data.shard, level: data.level });
  return self;
}

function startRools({ Rools, Rule }, { rules }, isSplit) {
  const self = { name: `rools${isSplit ? ", one a type" : ""}`, fired: 0, batch: 10 };
  let registered;
  const engines = split(rules, isSplit, (own) => {
    const engine = new Rools({ logging: { error: false, debug: false } });
    registered = engine.register(
      own.map(
        ({ type, shard }, i) =>
          new Rule({
            name: `rule${i}`,
            when: conditionOf(isSplit ? null : type, shard),
            // biome-ignore lint/suspicious/noThenProperty: rools names it so.
            then: () => {
              self.fired += 1;
            },
          }),
      ),
    );
    return engine;
  });
  self.take = async ({ type, data }) => {
    await registered;
    await engines.get(isSplit ? type : "").evaluate({ type, ...data });
  };
  return self;
}

/** A function with a text of its own: rools takes conditions of equal text for one. */
function conditionOf(type, shard) {
  const ofType = type === null ? "" : `facts.type === "${type}" && `;
  return new Function(
    "facts",
    `return ${ofType}facts.shard === ${shard} && facts.level >= ${levelMin}`,
  );
}

function split(rules, isSplit, start) {
  if (!isSplit) return new Map([["", start(rules)]]);
  const types = new Set(rules.map(({ type }) => type));
  return new Map(
    [...types].map((type) => [type, start(rules.filter((rule) => rule.type === type))]),
  );
}

/** A Subject for each type of event. Its windows hold the last events of a key; they do not begin anew after a match. */
function startRxjs({ Subject, bufferCount, filter, groupBy, mergeMap }, { rules }) {
  const self = { name: "rxjs, a Subject a type", fired: 0 };
  const fire = () => {
    self.fired += 1;
  };
  const subjects = split(rules, true, (own) => {
    const subject = new Subject();
    for (const { kind, shard, quarter } of own) {
      if (kind === "single")
        subject
          .pipe(filter(({ data }) => data.shard === shard && data.level >= levelMin))
          .subscribe(fire);
      else
        subject
          .pipe(
            filter(({ data }) => quarter === null || data.shard % 4 === quarter),
            groupBy(({ data }) => data.node),
            mergeMap((group) =>
              group.pipe(
                bufferCount(atLeast, 1),
                filter((last) => last.at(-1).at - last[0].at <= withinMs),
              ),
            ),
          )
          .subscribe(fire);
    }
    return subject;
  });
  let now = 0;
  self.take = ({ type, data }) => {
    now += 1;
    subjects.get(type).next({ at: now, data });
  };
  return self;
}
