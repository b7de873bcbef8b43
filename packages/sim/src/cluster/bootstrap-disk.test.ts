import { freshSetup, type Setup } from "@halon/node/core";
import { describe, expect, test } from "vitest";
import { Prng } from "../prng.ts";
import { SetupDisk } from "./bootstrap-disk.ts";

function setupOf(incarnation: number): Setup {
  const options = {
    name: "node-1",
    listen: { host: "node-1", port: 7411 },
    advertise: undefined,
    join: [],
    agencySize: undefined,
    local: undefined,
    store: undefined,
  };
  const id = "00000000-0000-4000-8000-000000000001";
  const verdict = freshSetup(options, { id, hostname: "node-1", now: incarnation });
  if (verdict.type === "refused") throw new Error(verdict.message);
  return verdict.setup;
}

const tails = ["lost", "prefix", "torn"] as const;

describe.each(tails)("a setup that is being written when power is lost (%s)", (tail) => {
  test("is the old one or the new one at the next start, whole", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SetupDisk();
      disk.begin(setupOf(1));
      disk.done();
      disk.begin(setupOf(2));
      disk.losePower(tail, new Prng(seed, "disk"));
      const found = disk.read();
      seen.add(found.type === "setup" ? found.setup.incarnation : 0);
    }
    expect([...seen].sort()).toEqual([1, 2]);
  });
});

test("what was written aside may be torn, and nobody reads it", () => {
  const left = new Set<boolean>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = new SetupDisk();
    disk.begin(setupOf(1));
    disk.losePower("torn", new Prng(seed, "disk"));
    if (disk.aside !== null && disk.text === null) left.add(disk.read().type === "none");
  }
  expect([...left]).toEqual([true]);
});

test("a setup that was saved outlives every loss of power", () => {
  const disk = new SetupDisk();
  disk.begin(setupOf(1));
  disk.done();
  for (const tail of tails) disk.losePower(tail, new Prng(1, "disk"));
  expect(disk.read()).toMatchObject({ type: "setup", setup: { incarnation: 1 } });
});
