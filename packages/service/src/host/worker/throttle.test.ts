import { expect, test } from "vitest";
import { limits } from "../limits.ts";
import { createThrottle } from "./throttle.ts";

test("what is too much for one second is dropped, and the next second says so", () => {
  let now = 5_000;
  const written: string[] = [];
  const write = createThrottle(
    (text) => written.push(text),
    () => now,
  );
  write("first\n");
  write("x".repeat(limits.outputBytesPerSecondMax));
  write("lost");
  expect(written.join("").length).toBe(limits.outputBytesPerSecondMax);
  now = 6_000;
  write("second\n");
  expect(written.slice(2)).toEqual([
    "[halon] 10 characters of output dropped: too much in one second\n",
    "second\n",
  ]);
});
