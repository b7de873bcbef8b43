import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  beginDiscovery,
  type Discovery,
  gossipOf,
  gossipWaitMs,
  hear,
  isComplete,
} from "./gossip.ts";

const member = (id: string, size = 3): Discovery => beginDiscovery(id, `${id}:1`, size);

/** Processes by id; `tell` is one exchange, in which both hear. */
function meeting(ids: readonly string[], size: number) {
  const all = new Map(ids.map((id) => [id, member(id, size)]));
  const of = (id: string): Discovery => all.get(id) ?? member(id, size);
  const tell = (from: string, to: string): void => {
    const heard = hear(of(to), gossipOf(of(from), null));
    all.set(to, heard.discovery);
    if (heard.refusal === null) {
      all.set(from, hear(of(from), gossipOf(heard.discovery, null)).discovery);
    }
  };
  return { of, tell };
}

describe("discovery", () => {
  test("three members that know the first agree after two rounds", () => {
    const { of, tell } = meeting(["a", "b", "c"], 3);
    for (let round = 0; round < 2; round++) {
      for (const id of ["b", "c"]) {
        tell(id, "a");
        for (const other of Object.keys(of(id).pool)) if (other !== id) tell(id, other);
      }
    }
    expect(["a", "b", "c"].map((id) => isComplete(of(id)))).toEqual([true, true, true]);
  });

  test("of more processes than the size, no two sets each hold themselves complete", () => {
    const ids = ["a", "b", "c", "d", "e"];
    const exchange = fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...ids));
    fc.assert(
      fc.property(fc.array(exchange, { maxLength: 60 }), (exchanges) => {
        const { of, tell } = meeting(ids, 3);
        for (const [from, to] of exchanges) if (from !== to) tell(from, to);
        const pools = ids
          .filter((id) => isComplete(of(id)))
          .map((id) => Object.keys(of(id).pool).sort());
        for (const pool of pools) {
          expect(pool).toHaveLength(3);
          // All in a complete pool hold that pool, so any two complete pools are one or share nobody.
          for (const id of pool) expect(Object.keys(of(id).pool).sort()).toEqual(pool);
        }
      }),
    );
  });

  test("a member of another size, or at a known address under another id, is refused", () => {
    expect(hear(member("a"), gossipOf(member("b", 5), null)).refusal).toContain("5 members");
    const known = hear(member("a"), gossipOf(member("b"), null)).discovery;
    const thief = beginDiscovery("c", "b:1", 3);
    expect(hear(known, gossipOf(thief, null)).refusal).toContain("b:1");
  });

  test("one that is to be alone is complete at once", () => {
    expect(isComplete(member("a", 1))).toBe(true);
  });

  test("waits double from 250 ms to 2.5 s", () => {
    expect([0, 1, 2, 3, 4, 50].map(gossipWaitMs)).toEqual([250, 500, 1_000, 2_000, 2_500, 2_500]);
  });
});
