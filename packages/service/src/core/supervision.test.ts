import { expect, test } from "vitest";
import { firstCheck, judge, judgeChecks, judgeLiveness, nextCheck } from "./supervision.ts";

const bounds = { silentMsMax: 1_000, memoryMbMax: 128, lookLateMsMax: 500 };
const well = { silentMs: 100, memoryMb: 20, lookLateMs: 0 };

test.each([
  { name: "a beating instance goes on", seen: well, reason: null },
  { name: "one at the limit goes on", seen: { ...well, silentMs: 1_000 }, reason: null },
  { name: "one that misses its beats hangs", seen: { ...well, silentMs: 1_001 }, reason: "hung" },
  { name: "one over its memory ends", seen: { ...well, memoryMb: 129 }, reason: "memory" },
  {
    name: "a supervisor that was held up doubts itself",
    seen: { ...well, silentMs: 3_000, lookLateMs: 600 },
    reason: null,
  },
  {
    name: "what cannot be seen is not judged",
    seen: { silentMs: undefined, memoryMb: undefined, lookLateMs: 0 },
    reason: null,
  },
])("$name", ({ seen, reason }) => {
  expect(judge(seen, bounds)?.reason.split(":")[0] ?? null).toBe(reason);
});

test("checks keep their rhythm, and a slow one is not followed by a burst", () => {
  const check = {
    outcome: "answered",
    isAlive: true,
    beganAtMs: 100,
    checkEveryMs: 50,
  } as const;
  expect(nextCheck(firstCheck(100), { ...check, nowMs: 110 }).dueAtMs).toBe(150);
  expect(nextCheck(firstCheck(100), { ...check, nowMs: 400 }).dueAtMs).toBe(400);
});

test("three timeouts in a row are a hang; an answer between them starts the count again", () => {
  const timedOut = {
    outcome: "timedOut",
    isAlive: true,
    beganAtMs: 0,
    nowMs: 1,
    checkEveryMs: 2,
  } as const;
  const twice = nextCheck(nextCheck(firstCheck(0), timedOut), timedOut);
  expect(judgeChecks(twice, 3)).toBeNull();
  expect(judgeChecks(nextCheck(twice, timedOut), 3)?.reason).toMatch(/^hung: 3 checks/);
  const answered = nextCheck(twice, { ...timedOut, outcome: "answered" });
  expect(judgeChecks(nextCheck(answered, timedOut), 3)).toBeNull();
});

test("as many liveness failures in a row as the type allows end it; one that lives begins the count anew", () => {
  const said = { outcome: "answered", beganAtMs: 0, nowMs: 1, checkEveryMs: 2 } as const;
  const dead = { ...said, isAlive: false };
  const once = nextCheck(firstCheck(0), dead);
  expect(judgeLiveness(once, 2, "port 80")).toBeNull();
  expect(judgeLiveness(nextCheck(once, dead), 2, "port 80")?.reason).toBe(
    "liveness: 2 checks in a row failed: port 80",
  );
  const revived = nextCheck(once, { ...said, isAlive: true });
  expect(judgeLiveness(nextCheck(revived, dead), 2, "port 80")).toBeNull();
});
