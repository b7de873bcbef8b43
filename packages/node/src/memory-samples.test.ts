import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepSamples, readLastSample } from "./memory-samples.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "halon-samples-"));
  mkdirSync(join(dir, "services"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("after an end without a stop the worker with the most memory is named", async () => {
  const samples = [
    { instance: "ping@node-1#1", memoryMb: 20 },
    { instance: "leak@node-1#4", memoryMb: 900 },
  ];
  const kept = keepSamples(dir, () => samples);
  await vi.waitFor(
    () => expect(readLastSample(dir)).toMatchObject({ instance: "leak@node-1#4", memoryMb: 900 }),
    5_000,
  );
  kept.close();
});

test("a shorter sample leaves nothing of a longer one", async () => {
  let samples = Array.from({ length: 200 }, (_, n) => ({
    instance: `service-${n}@node-1#1`,
    memoryMb: n,
  }));
  const kept = keepSamples(dir, () => samples);
  await vi.waitFor(() => expect(readLastSample(dir)?.memoryMb).toBe(199), 5_000);
  samples = [{ instance: "ping@node-1#1", memoryMb: 20 }];
  await vi.waitFor(() => expect(readLastSample(dir)?.memoryMb).toBe(20), 5_000);
  kept.close();
});

test("a clean stop leaves nothing to name", async () => {
  const kept = keepSamples(dir, () => [{ instance: "ping@node-1#1", memoryMb: 20 }]);
  await vi.waitFor(() => expect(readLastSample(dir)).toBeDefined(), 5_000);
  kept.close();
  expect(readLastSample(dir)).toBeUndefined();
});

test("a file cut by the crash is passed over", () => {
  writeFileSync(join(dir, "services", "samples.json"), '{"at":"2026');
  expect(readLastSample(dir)).toBeUndefined();
});
