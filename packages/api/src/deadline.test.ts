import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { deadlineWithin } from "./deadline.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

test("a deadline comes although garbage was collected before it", async () => {
  const signal = deadlineWithin(500, new AbortController().signal);
  const aborted = once(signal, "abort");
  // What was referred to weakly in a turn of the event loop lives to its end.
  await new Promise(setImmediate);
  collectGarbage();
  await aborted;
  expect(signal.reason).toMatchObject({ name: "TimeoutError" });
});

test("whoever gives up before the deadline is the reason", () => {
  const caller = new AbortController();
  const signal = deadlineWithin(60_000, caller.signal);
  caller.abort("enough");
  expect(signal.reason).toBe("enough");
});
