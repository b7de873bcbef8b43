import { expect, test } from "vitest";
import { LogOwnership } from "./log-ownership.ts";

test("an epoch is owned once: the next host waits for another term", () => {
  const ownership = new LogOwnership();
  expect(ownership.claim(null)).toBe("waits");
  expect(ownership.claim(3)).toBe("owns");
  expect(ownership.claim(3)).toBe("campaigns");
  expect(ownership.claim(4)).toBe("owns");
  expect([3, 4].map((epoch) => ownership.isLast(epoch))).toEqual([false, true]);
});
