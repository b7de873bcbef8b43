import { expect, test } from "vitest";
import { chooseLeader } from "./leader-choice.ts";

const [a, b, c] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];

test.each([
  ["nobody answers", [], null],
  ["nobody knows any", [[a, null]], null],
  ["one names itself", [[a, a]], a],
  [
    "most name another than the deposed one names",
    [
      [a, a],
      [b, b],
      [c, b],
    ],
    b,
  ],
  [
    "of two that are named alike, the one that names itself",
    [
      [a, null],
      [b, a],
      [c, c],
    ],
    c,
  ],
  [
    "two name themselves",
    [
      [b, b],
      [a, a],
    ],
    a,
  ],
] as const)("%s", (_, answers, leader) => {
  expect(chooseLeader(new Map(answers))).toBe(leader);
});
