import { expect, test } from "vitest";
import { LeaderSearch } from "./leader-search.ts";

test("who has not answered yet is not asked again; the others are", () => {
  const search = new LeaderSearch();
  expect(search.look(["a", "b", "a"], false)).toEqual([
    { type: "ask", address: "a" },
    { type: "ask", address: "b" },
  ]);
  search.answered("b", null, false);
  expect(search.look(["a", "b"], false)).toEqual([{ type: "ask", address: "b" }]);
});

test("an answer that comes after a leader has taken the node in moves nothing, until that one refuses", () => {
  const search = new LeaderSearch();
  search.look(["a", "b"], false);
  expect(search.answered("a", "a", false)).toEqual([{ type: "follow", address: "a" }]);
  search.attached();
  expect(search.answered("b", "b", true)).toEqual([]);
  expect(search.look(["a", "b"], true)).toEqual([]);
  search.refused();
  expect(search.look(["b"], true)).toEqual([{ type: "ask", address: "b" }]);
  expect(search.answered("b", "b", true)).toEqual([{ type: "follow", address: "b" }]);
});
