import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryEngine, memoryState, openFileEngine } from "@halon/coordinator/store";
import { afterAll } from "vitest";
import { storeConformance } from "./conformance.ts";

const made: string[] = [];

storeConformance("memory", async () => {
  const state = memoryState();
  let handles = 0;
  const open = async () => {
    handles += 1;
    return memoryEngine(state, `10.0.0.${handles}:8528`);
  };
  return { open, beside: true };
});

storeConformance("file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "halon-store-"));
  made.push(dir);
  return { open: () => openFileEngine({ dir, segmentBytes: 1_000 }), beside: false };
});

afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true });
});
