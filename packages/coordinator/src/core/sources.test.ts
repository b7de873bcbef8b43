import { expect, test } from "vitest";
import type { Reply } from "./intake.ts";
import { answerOf } from "./sources.ts";

const accepted: Reply = { type: "accepted", index: 1 };
const duplicate: Reply = { type: "duplicate", index: null };
const refused: Reply = { type: "refused", error: { code: "HAL_TOO_MANY", message: "full" } };

const last = 2_500;

test.each<{ name: string; reply: Reply; sequence: number; answer: unknown }>([
  {
    name: "the last one speaks for all",
    reply: accepted,
    sequence: last,
    answer: { type: "ack", sequence: last },
  },
  {
    name: "also when it was known",
    reply: duplicate,
    sequence: last,
    answer: { type: "ack", sequence: last },
  },
  {
    name: "each thousandth speaks for those before it, for the last may not fit",
    reply: accepted,
    sequence: 2_000,
    answer: { type: "ack", sequence: 2_000 },
  },
  { name: "an earlier one says nothing", reply: accepted, sequence: 2, answer: null },
  { name: "what was refused is not acknowledged", reply: refused, sequence: last, answer: null },
  {
    name: "a gap is told of at any of them",
    reply: { type: "gap", expected: 1 },
    sequence: 2,
    answer: { type: "gap", expected: 1 },
  },
])("of events that came together, $name", ({ reply, sequence, answer }) => {
  expect(answerOf(reply, sequence, last)).toEqual(answer);
});
