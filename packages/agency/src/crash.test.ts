import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryFs } from "../testdata/memory-fs.ts";
import type { Entry, HardState, Log } from "./log.ts";
import { openLog } from "./open-log.ts";

const dir = "/log";
const setting = { dir, segmentBytes: 2_000, failpoint: () => undefined };

type Step =
  | { readonly type: "append"; readonly sizes: readonly (readonly number[])[] }
  | { readonly type: "hardState"; readonly term: number }
  | { readonly type: "truncate"; readonly back: number }
  | { readonly type: "snapshot"; readonly back: number }
  | { readonly type: "install"; readonly ahead: number }
  | { readonly type: "reopen" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      // Several appends at once: they share a group.
      sizes: fc.array(fc.array(fc.nat(1_500), { minLength: 1, maxLength: 3 }), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("hardState" as const), term: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("truncate" as const), back: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("snapshot" as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("install" as const), ahead: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reopen" as const) }) },
);

/** What a reader may find: everything acknowledged, and of the step under way any part from its start. */
class Model {
  entries = new Map<number, Entry>();
  /** The last entry must be between these. */
  lastMin = 0;
  lastMax = 0;
  hardStates: HardState[] = [{ term: 0, votedFor: null }];
  snapshotMin = 0;
  snapshotMax = 0;
  #serial = 0;

  entry(index: number, size: number): Entry {
    this.#serial += 1;
    const entry = { index, term: 1, data: Buffer.alloc(size, `${this.#serial} `) };
    this.entries.set(index, entry);
    return entry;
  }
}

async function perform(log: Log, model: Model, action: Exclude<Step, { type: "reopen" }>) {
  switch (action.type) {
    case "append": {
      const waiting: Promise<void>[] = [];
      for (const sizes of action.sizes) {
        const from = log.lastIndex + 1;
        const entries = sizes.map((size, at) => model.entry(from + at, size));
        const last = log.lastIndex + entries.length;
        model.lastMax = last;
        const done = log.append(entries).then(() => {
          model.lastMin = Math.max(model.lastMin, last);
        });
        waiting.push(done);
      }
      const outcomes = await Promise.allSettled(waiting);
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      return;
    }
    case "hardState": {
      const state = { term: action.term, votedFor: `node-${action.term}` };
      model.hardStates.push(state);
      await log.saveHardState(state);
      model.hardStates = [state];
      return;
    }
    case "truncate": {
      const index = log.lastIndex - action.back;
      if (index <= Math.max(log.firstIndex - 1, log.snapshot?.index ?? 0)) return;
      model.lastMin = index - 1;
      await log.truncateFrom(index);
      model.lastMax = index - 1;
      return;
    }
    case "snapshot":
    case "install": {
      const index =
        action.type === "snapshot" ? log.lastIndex - action.back : log.lastIndex + 1 + action.ahead;
      if (index <= (log.snapshot?.index ?? 0)) return;
      model.snapshotMax = index;
      const isInstall = action.type === "install";
      if (isInstall) model.lastMax = index;
      await log.saveSnapshot({ index, term: 1 }, [Buffer.from("a"), Buffer.from(String(index))]);
      model.snapshotMin = index;
      if (isInstall) model.lastMin = index;
      await log.compactTo(index);
      return;
    }
  }
}

async function check(log: Log, model: Model): Promise<void> {
  const snapshotIndex = log.snapshot?.index ?? 0;
  expect(snapshotIndex).toBeGreaterThanOrEqual(model.snapshotMin);
  expect(snapshotIndex).toBeLessThanOrEqual(model.snapshotMax);
  expect(log.firstIndex).toBeLessThanOrEqual(snapshotIndex + 1);
  expect(log.lastIndex).toBeGreaterThanOrEqual(model.lastMin);
  expect(log.lastIndex).toBeLessThanOrEqual(model.lastMax);
  expect(model.hardStates).toContainEqual(log.hardState);
  let index = log.firstIndex;
  for (const entry of log.read(log.firstIndex)) {
    expect(entry.index).toBe(index);
    const written = model.entries.get(index);
    expect(written !== undefined && Buffer.compare(entry.data, written.data) === 0).toBe(true);
    index += 1;
  }
  expect(index).toBe(log.lastIndex + 1);
  let text = "";
  for await (const chunk of log.loadSnapshot()?.chunks ?? []) text += Buffer.from(chunk);
  expect(text).toBe(snapshotIndex === 0 ? "" : `a${snapshotIndex}`);
  // What was found is what the next crash must leave.
  model.lastMin = model.lastMax = log.lastIndex;
  model.hardStates = [log.hardState];
  model.snapshotMin = model.snapshotMax = snapshotIndex;
}

async function run(steps: readonly Step[], fs: MemoryFs, model: Model): Promise<void> {
  let log = await openLog({ ...setting, fs });
  await check(log, model);
  for (const action of steps) {
    if (action.type === "reopen") {
      await log.close();
      log = await openLog({ ...setting, fs });
      await check(log, model);
    } else {
      await perform(log, model, action);
    }
  }
}

const code = (error: unknown): unknown => (error as { code?: unknown }).code;

test.each([
  ["a crash", "crash"],
  ["a disk that refuses", "refuse"],
  ["a disk that is full", "full"],
] as const)(
  "what was acknowledged survives %s at any call, and nothing is invented",
  async (_, type) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 3 }),
        fc.infiniteStream(fc.nat(0x7fffffff)),
        async (steps, faults, noise) => {
          const pick = (n: number): number => noise.next().value % n;
          const model = new Model();
          let fs = new MemoryFs();
          // Each round may crash while it recovers from the one before.
          for (const atCall of faults) {
            fs.fault = { type, atCall };
            await run(steps, fs, model).catch((error) => {
              if (code(error) !== "HAL_STORE_FAILED") throw error;
            });
            expect(fs.syncsAfterFault).toBe(0);
            fs = fs.afterCrash(pick);
          }
          const log = await openLog({ ...setting, fs });
          await check(log, model);
          await log.close();
          // What is left is whole: another start finds nothing to cut.
          expect((await openLog({ ...setting, fs })).cut).toBeUndefined();
        },
      ),
      { numRuns: 400 },
    );
  },
  60_000,
);
