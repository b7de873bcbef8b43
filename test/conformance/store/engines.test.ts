import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryEngine, memoryState, openFileEngine } from "@halon/coordinator/store";
import { afterAll } from "vitest";
import { storeConformance } from "./conformance.ts";

const made: string[] = [];

storeConformance("memory", async () => {
  const state = memoryState();
  return { open: async () => memoryEngine(state), beside: true };
});

storeConformance("file", async () => {
  const dir = await mkdtemp(join(tmpdir(), "halon-store-"));
  made.push(dir);
  return { open: () => openFileEngine({ dir, segmentBytes: 1_000 }), beside: false };
});

afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true });
});
