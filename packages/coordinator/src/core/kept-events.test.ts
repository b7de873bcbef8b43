import { canonicalJson, type DecisionRecord, type Json } from "@halon/protocol";
import { defineEvent, defineRules, on, z } from "@halon/rules";
import fc from "fast-check";
import { expect, test } from "vitest";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import { ruleSet } from "../../testdata/test-cluster.ts";
import { fold } from "./fold.ts";
import { keptMax } from "./kept-events.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { type CoordinatorState, emptyState } from "./state.ts";

import { type RuleSet, step } from "./step.ts";

const schema = z.looseObject({});
const Mine = defineEvent({ type: "Mine", schema });
const Both = defineEvent({ type: "Both", schema });
const mine = defineRules({
  mine: on(Mine).do(({ event, why }) => why(canonicalJson(event as Json))),
  both: on(Both).do(({ why }) => why("mine too")),
});
const other = defineRules({ both: on(Both).do(({ why }) => why("other")) });

const withMine = ruleSet({ mine, other });
const without: RuleSet = { index: ruleSet({ other }).index, declared: withMine.declared };

/** A log that is decided, with the state that folding alone gives. */
class Log {
  readonly records: DecisionRecord[] = [];
  readonly state: CoordinatorState = emptyState();
  rules: RuleSet = withMine;
  #ids = 0;

  constructor() {
    const file = (name: string, types: readonly string[]) => ({
      name,
      blob: hashLike(name),
      rules: [],
      events: types.map((type) => ({ type, version: 1, schema: {} })),
      resources: {},
    });
    const rules = [file("mine", ["Mine", "Both"]), file("other", [])];
    this.submit("ClusterApplied", {
      operation: "apply",
      spec: clusterSpec([], { rules }),
    } as never);
  }

  submit(type: string, data: Json, times = 1): void {
    const inputs = Array.from({ length: times }, () => {
      this.#ids += 1;
      return { type: "client", id: `id-${this.#ids}`, event: { type, version: 1, data } } as const;
    });
    this.step(inputs);
  }

  quarantine(): void {
    const data = { file: "mine", blob: hashLike("mine"), reason: "it threw" };
    const sequence = (this.state.watermarks.get("coordinator")?.sequence ?? 0) + 1;
    const event = { type: "RuleFileFailed", version: 1, data };
    this.step([{ type: "numbered", source: "coordinator", incarnation: 1, sequence, event }]);
    this.rules = without;
  }

  enable(): void {
    this.submit("RuleEnableRequested", { operation: `op-${this.#ids}`, file: "mine" });
    this.rules = withMine;
  }

  step(inputs: Parameters<typeof step>[2]): DecisionRecord | undefined {
    const { record } = step(this.state, this.rules, inputs, { epoch: 1, logTime: 0, wallTime: 0 });
    if (record !== undefined) this.records.push(JSON.parse(canonicalJson(record as never)));
    return record;
  }

  said(): readonly string[] {
    return this.records
      .flatMap(({ decisions }) => decisions.flatMap(({ firings }) => firings))
      .filter(({ rule }) => rule === "mine/mine")
      .map(({ why }) => why);
  }
}

test("events that only a file in quarantine would handle are kept, and decided in order when it is back", () => {
  const log = new Log();
  log.quarantine();
  for (const n of [1, 2, 3]) log.submit("Mine", { n });
  log.submit("Both", {});
  expect(log.state.kept.of("mine").map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect([log.said(), log.state.deadLetters]).toEqual([[], []]);
  log.enable();
  log.submit("Mine", { n: 4 });
  expect(log.said()).toEqual([1, 2, 3, 4].map((n) => `{"n":${n}}`));
  expect(log.state.kept.size).toBe(0);
});

test("beyond the bound they are dead letters, with the reason, until the file is back and has decided those before", () => {
  const log = new Log();
  log.quarantine();
  for (let left = keptMax + 2; left > 0; left -= 1_000)
    log.submit("Mine", {}, Math.min(left, 1_000));
  expect([log.state.kept.size, log.state.deadLetters.length]).toEqual([keptMax, 2]);
  expect(log.state.deadLetters[0]?.reason).toContain("mine is in quarantine");
  log.enable();
  let records = 0;
  while (log.step([]) !== undefined) records += 1;
  expect([records, log.said().length]).toEqual([Math.ceil(keptMax / 512), keptMax + 2]);
  expect(log.state.deadLetters).toEqual([]);
});

test("when the file is removed they are dead letters", () => {
  const log = new Log();
  log.quarantine();
  log.submit("Mine", { n: 1 });
  const spec = { ...clusterSpec([], { rules: [] }), prune: true };
  log.submit("ClusterApplied", { operation: "prune", spec } as never);
  expect([log.state.kept.size, log.state.deadLetters.at(-1)?.reason]).toEqual([
    0,
    "it was kept for the rule file mine, which was removed",
  ]);
});

test("followers and snapshots have the same kept events, whatever comes and goes", () => {
  const act = fc.constantFrom("mine", "both", "quarantine", "enable", "step", "snapshot");
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const log = new Log();
      let follower = emptyState();
      let folded = 0;
      for (const what of [...acts, "step"]) {
        if (what === "mine") log.submit("Mine", { n: folded });
        if (what === "both") log.submit("Both", {});
        if (what === "quarantine" && log.rules === withMine) log.quarantine();
        if (what === "enable") log.enable();
        if (what === "step") log.step([]);
        if (what === "snapshot") follower = decodeSnapshot(encodeSnapshot(follower));
        for (const record of log.records.slice(folded)) fold(follower, record);
        folded = log.records.length;
      }
      expect(encodeSnapshot(follower)).toBe(encodeSnapshot(log.state));
    }),
    { numRuns: 60 },
  );
});
