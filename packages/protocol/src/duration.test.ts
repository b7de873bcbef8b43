import { expect, test } from "vitest";
import { Duration } from "./duration.ts";

test.each([
  { text: "500ms", ms: 500 },
  { text: "10s", ms: 10_000 },
  { text: "1m", ms: 60_000 },
  { text: "2h", ms: 7_200_000 },
  { text: "1d", ms: 86_400_000 },
  { text: "0s", ms: 0 },
  { text: 250, ms: 250 },
])("$text is $ms ms", ({ text, ms }) => {
  expect(Duration.parse(text)).toBe(ms);
});

test.each(["", "10", "1.5s", "-1s", "1 s", "1S", "1w", "s", -1, 0.5, Number.NaN, null])(
  "%j is no duration",
  (value) => {
    expect(Duration.safeParse(value).success).toBe(false);
  },
);

test("the refusal shows what was given and what would be right", () => {
  expect(Duration.safeParse("fast").error?.issues[0]?.message).toBe(
    'expected a duration such as 500ms, 10s or 1m, got "fast"',
  );
});
