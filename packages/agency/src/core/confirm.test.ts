import { describe, expect, test } from "vitest";
import { Hand } from "./testing.ts";

/** Three members of which the first leads, and what they told of their leadership. */
function agency(): { hand: Hand; term: number; confirm(id: string, epoch: number): () => unknown } {
  const hand = new Hand(["a", "b", "c"]);
  hand.elect("a");
  hand.settle();
  let asked = 1_000;
  const confirm = (id: string, epoch: number): (() => unknown) => {
    asked += 1;
    const question = asked;
    hand.give(id, { type: "confirmLead", id: question, epoch });
    return () =>
      hand.effects.flatMap(({ effect }) =>
        effect.type === "leadConfirmed" && effect.id === question ? [effect.leads] : [],
      );
  };
  return { hand, term: hand.replica("a").raft.currentTerm, confirm };
}

describe("a proof of leadership for the host", () => {
  test("waits for a majority's word that was asked for after the question", () => {
    const { hand, term, confirm } = agency();
    hand.cut.add("a");
    const answer = confirm("a", term);
    hand.settle();
    expect(answer()).toEqual([]);
    hand.cut.clear();
    hand.tick(10);
    expect(answer()).toEqual([true]);
  });

  test("is refused at once by a member that does not lead, and in another term", () => {
    const { term, confirm } = agency();
    expect(confirm("b", term)()).toEqual([false]);
    expect(confirm("a", term - 1)()).toEqual([false]);
    expect(confirm("a", term + 1)()).toEqual([false]);
  });

  test("of a leader that is cut off is refused, at the latest when it steps down", () => {
    const { hand, term, confirm } = agency();
    hand.cut.add("a");
    const answer = confirm("a", term);
    hand.tick(200);
    expect(answer()).toEqual([false]);
    hand.cut.clear();
    hand.tick(200);
    expect(answer()).toEqual([false]);
  });

  test("of a leader that another has taken the place of is refused, whenever it hears of that", () => {
    const { hand, term, confirm } = agency();
    hand.cut.add("a");
    for (let ticks = 0; ticks < 300; ticks++) hand.tick(1, ["b", "c"]);
    const leads = ["b", "c"].filter((id) => hand.replica(id).recordsLeading !== null);
    expect(leads).toHaveLength(1);
    // Its own clock has stood still: it leads as far as it knows.
    expect(hand.replica("a").recordsLeading?.epoch).toBe(term);
    const answer = confirm("a", term);
    hand.cut.clear();
    hand.tick(20);
    expect(answer()).toEqual([false]);
  });
});
