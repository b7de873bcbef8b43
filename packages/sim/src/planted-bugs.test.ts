import { type Effect, type Input, type Message, type RaftState, step } from "@halon/raft";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan.ts";
import type { StepFunction } from "./process.ts";
import { run } from "./run.ts";
import { shrink } from "./shrink.ts";

const seedsMax = 60;
const plan = { members: 5, seconds: 8, machine: "registers" } as const;

type Persist = Extract<Effect, { readonly type: "persist" }>;

/** The same step, with each of its persists changed. */
function withPersists(change: (persist: Persist) => readonly Effect[]): StepFunction {
  return (state, input) => {
    const [next, effects] = step(state, input);
    return [
      next,
      effects.flatMap((effect) => (effect.type === "persist" ? change(effect) : [effect])),
    ];
  };
}

/** The same step, with each message changed before it is received. */
function withMessages(change: (message: Message, state: RaftState) => Message): StepFunction {
  return (state, input) =>
    step(
      state,
      input.type === "receive" ? { ...input, message: change(input.message, state) } : input,
    );
}

/** A granted vote counts twice: for who gave it, and for one who did not. */
const countsTwice: StepFunction = (state, input) => {
  const [next, effects] = step(state, input);
  if (next.role !== "candidate" || input.type !== "receive") return [next, effects];
  const { message } = input;
  if (message.type !== "voteResponse" || !message.granted) return [next, effects];
  const silent = next.configuration.voters.find((id) => !next.votes.has(id));
  if (silent === undefined) return [next, effects];
  const [won, more] = step(next, { type: "receive", message: { ...message, from: silent } });
  return [won, [...effects, ...more]];
};

const readsWithoutQuorum: StepFunction = (state: RaftState, input: Input) => {
  if (input.type !== "read" || state.role !== "leader") return step(state, input);
  return [state, [{ type: "readReady", ids: [input.id], index: state.commitIndex }]];
};

const bugs: readonly (readonly [string, StepFunction, readonly string[]])[] = [
  ["a vote counts twice", countsTwice, ["I1", "I4", "I5"]],
  [
    "a vote is forgotten on the way to the disk",
    withPersists((persist) => [
      {
        ...persist,
        hardState:
          persist.hardState === null ? null : { term: persist.hardState.term, votedFor: null },
      },
    ]),
    ["I7", "I8"],
  ],
  [
    "an acknowledgement does not wait for the disk",
    withPersists((persist) => [
      { ...persist, whenDurable: [] },
      ...persist.whenDurable.map((message) => ({ type: "send", message }) as const),
    ]),
    ["I8"],
  ],
  [
    "conflicting entries stay",
    withPersists((persist) => [{ ...persist, truncateFrom: null }]),
    ["I3"],
  ],
  [
    "a vote goes to any log",
    // Pre-votes too: else they keep the candidates with old logs from asking.
    withMessages((message, state) =>
      message.type === "requestVote"
        ? { ...message, lastTerm: message.term, lastIndex: state.log.lastIndex + 1 }
        : message,
    ),
    ["I4", "I5"],
  ],
  [
    "a follower commits what it has not verified",
    withMessages((message, state) =>
      message.type === "heartbeat" ? { ...message, commitIndex: state.log.lastIndex } : message,
    ),
    ["I5"],
  ],
  ["a leader answers reads alone", readsWithoutQuorum, ["I15", "linearizable"]],
];

describe("a planted bug is found", () => {
  test.each(bugs)("%s", { timeout: 120_000 }, (_name, bug, invariants) => {
    let found: string | null = null;
    for (let seed = 1; seed <= seedsMax && found === null; seed++)
      found = run(planOf(seed, plan), { step: bug }).violation?.invariant ?? null;
    expect(invariants).toContain(found);
  });
});

test("a log that is never dropped grows over its bound, and one that is does not", () => {
  const never: StepFunction = (state, input) =>
    input.type === "compacted" ? [state, []] : step(state, input);
  const bursts = Array.from({ length: 80 }, (_, n) => ({
    ...{ at: 1_000_000 + n * 80_000, client: 0, value: n * 100 },
    ...({ type: "burst", count: 40 } as const),
  }));
  const { settings, ...drawn } = planOf(1, plan);
  const small = { ...settings, compactEntries: 20, keepEntries: 0 };
  const scenario = { ...drawn, settings: small, faults: [], requests: bursts };
  expect(run(scenario).violation).toBeNull();
  expect(run(scenario, { step: never }).violation).toMatchObject({
    invariant: "I16",
    message: expect.stringContaining("entries that are committed"),
  });
});

test("a scenario that breaks a rule is made smaller and still breaks it", {
  timeout: 120_000,
}, () => {
  const bug = withPersists((persist) => [{ ...persist, truncateFrom: null }]);
  for (let seed = 1; seed <= seedsMax; seed++) {
    const scenario = planOf(seed, plan);
    const violation = run(scenario, { step: bug }).violation;
    if (violation?.invariant !== "I3") continue;
    const small = shrink(scenario, "I3", { step: bug, runsMax: 150 });
    expect(run(small.scenario, { step: bug }).violation?.invariant).toBe("I3");
    expect(small.scenario.faults.length + small.scenario.requests.length).toBeLessThan(
      (scenario.faults.length + scenario.requests.length) / 2,
    );
    return;
  }
  expect.fail("no seed broke the rule");
});
