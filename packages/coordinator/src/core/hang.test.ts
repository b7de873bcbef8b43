import { expect, test } from "vitest";
import { judgePulse, ruleHangMs, threadHangMs } from "./hang.ts";

const last = { beats: 7, file: "mine", since: 1_000 };

test("a thread whose beats go on is alive, whatever code runs", () => {
  const verdict = judgePulse(last, { beats: 8, file: "mine" }, 1_000 + 10 * ruleHangMs);
  expect(verdict).toEqual({
    type: "alive",
    pulse: { beats: 8, file: "mine", since: 1_000 + 10 * ruleHangMs },
  });
});

test("a rule file during which the beats stop has hung, and is named", () => {
  expect(judgePulse(last, last, 1_000 + ruleHangMs - 1).type).toBe("alive");
  expect(judgePulse(last, last, 1_000 + ruleHangMs)).toEqual({
    type: "hung",
    file: "mine",
    silentMs: ruleHangMs,
  });
});

test("a thread that is held outside of rule files has longer, and nobody is blamed", () => {
  const idle = { ...last, file: null };
  expect(judgePulse(idle, idle, 1_000 + threadHangMs - 1).type).toBe("alive");
  expect(judgePulse(idle, idle, 1_000 + threadHangMs)).toMatchObject({ type: "hung", file: null });
});
