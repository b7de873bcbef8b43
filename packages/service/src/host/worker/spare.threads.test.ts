import { expect, test } from "vitest";
import { limits } from "../limits.ts";
import { prepareThread, takeThread } from "./spare.ts";

test("the spare thread goes to one start only, and to one with its limit of memory", async () => {
  prepareThread(64);
  const other = takeThread(65);
  const spare = takeThread(64);
  const next = takeThread(64);
  expect(new Set([other, spare, next]).size).toBe(3);
  expect(spare.resourceLimits?.maxOldGenerationSizeMb).toBe(64);
  expect(spare.threadId).toBeLessThan(other.threadId);
  await Promise.all([other, spare, next].map((thread) => thread.terminate()));
});

test("so many spares are kept, and those that nobody wanted for longest make way", async () => {
  for (let memoryMb = 70; memoryMb <= 70 + limits.spareThreadsMax; memoryMb += 1) {
    prepareThread(memoryMb);
  }
  const made = takeThread(70);
  const kept = takeThread(71);
  expect(kept.threadId).toBeLessThan(made.threadId);
  await Promise.all([made, kept].map((thread) => thread.terminate()));
});
