import fc from "fast-check";
import { expect, test } from "vitest";
import type { Configuration } from "./configuration.ts";
import { hasQuorum, majorityIndex, quorumIndex, voteResult } from "./quorum.ts";
import { configurationOf } from "./testing.ts";

const ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

const voters = fc.subarray(ids, { minLength: 1, maxLength: 7 });

const configurations: fc.Arbitrary<Configuration> = fc
  .tuple(voters, fc.oneof(fc.constant([]), voters))
  .map(([now, outgoing]) => ({ ...configurationOf(now), outgoing }));

/** By definition: the highest number that more than half have reached. */
function slowMajority(list: readonly string[], numbers: ReadonlyMap<string, number>): number {
  const reached = (index: number) => list.filter((id) => (numbers.get(id) ?? 0) >= index).length;
  return Math.max(0, ...[...numbers.values()].filter((index) => reached(index) * 2 > list.length));
}

const numbers = fc
  .array(fc.nat(20), { minLength: ids.length, maxLength: ids.length })
  .map((list) => new Map(ids.map((id, at) => [id, list[at] ?? 0])));

test.each([
  { indexes: [], majority: 0 },
  { indexes: [5], majority: 5 },
  { indexes: [5, 3], majority: 3 },
  { indexes: [5, 3, 9], majority: 5 },
  { indexes: [5, 3, 9, 1], majority: 3 },
  { indexes: [0, 0, 9, 9, 4], majority: 4 },
])("the majority of $indexes has reached $majority", ({ indexes, majority }) => {
  expect(majorityIndex([...indexes])).toBe(majority);
});

test("a quorum index is what both majorities have reached, by brute force (§6)", () => {
  fc.assert(
    fc.property(configurations, numbers, (configuration, reached) => {
      const expected =
        configuration.outgoing.length === 0
          ? slowMajority(configuration.voters, reached)
          : Math.min(
              slowMajority(configuration.voters, reached),
              slowMajority(configuration.outgoing, reached),
            );
      expect(quorumIndex(configuration, (map, id) => map.get(id) ?? 0, reached)).toBe(expected);
    }),
  );
});

test("any two quorums of one configuration share a voter (§5.2)", () => {
  fc.assert(
    fc.property(configurations, fc.subarray(ids), (configuration, chosen) => {
      const others = ids.filter((id) => !chosen.includes(id));
      const both = [chosen, others].filter((set) =>
        hasQuorum(configuration, (id) => set.includes(id)),
      );
      expect(both.length).toBeLessThan(2);
    }),
  );
});

test("a quorum of a joint configuration meets every quorum before and after it (§6)", () => {
  fc.assert(
    fc.property(voters, voters, fc.subarray(ids), (outgoing, incoming, chosen) => {
      const joint = { ...configurationOf(incoming), outgoing };
      if (!hasQuorum(joint, (id) => chosen.includes(id))) return;
      for (const simple of [configurationOf(outgoing), configurationOf(incoming)]) {
        expect(hasQuorum(simple, (id) => !chosen.includes(id))).toBe(false);
      }
    }),
  );
});

test("a vote is open as long as the answers to come can decide it", () => {
  fc.assert(
    fc.property(
      configurations,
      fc.array(fc.option(fc.boolean()), { minLength: 9 }),
      (c, answers) => {
        const votes = new Map<string, boolean>();
        for (const [at, id] of ids.entries()) {
          const answer = answers[at] ?? null;
          if (answer !== null) votes.set(id, answer);
        }
        const all = (rest: boolean) =>
          voteResult(c, new Map(ids.map((id) => [id, votes.get(id) ?? rest])));
        const outcomes = new Set([all(true), all(false)]);
        const expected = outcomes.size === 2 ? "open" : [...outcomes][0];
        expect(voteResult(c, votes)).toBe(expected);
      },
    ),
  );
});
