import { expect, test } from "vitest";
import { cutLinks, linkOf } from "./network.ts";
import type { CutShape } from "./scenario.ts";

const slots = [0, 1, 2, 3, 4];

/** For each member, whom it can still send to. */
function reachable(shape: CutShape, centre: number): readonly string[] {
  const cut = new Set(cutLinks(shape, slots, centre));
  return slots.map((from) =>
    slots.filter((to) => to !== from && !cut.has(linkOf(from, to))).join(""),
  );
}

test.each<[CutShape, readonly string[]]>([
  ["halves", ["12", "02", "01", "4", "3"]],
  ["one", ["", "234", "134", "124", "123"]],
  ["inbound", ["1234", "234", "134", "124", "123"]],
  ["outbound", ["", "0234", "0134", "0124", "0123"]],
  ["link", ["234", "234", "0134", "0124", "0123"]],
  ["bridge", ["1234", "02", "01", "04", "03"]],
  ["ring", ["14", "02", "13", "24", "03"]],
])("a cut of shape %s leaves these ways", (shape, ways) => {
  expect(reachable(shape, 0)).toEqual(ways);
});

test("a cut turns with the member that it is about", () => {
  expect(reachable("one", 3)).toEqual(["124", "024", "014", "", "012"]);
});
