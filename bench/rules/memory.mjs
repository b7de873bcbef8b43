import { Matching } from "@halon/rules";

const keysPerPattern = 100_000;
const keyed = { keysMax: 1_000_000, overflow: "oldest" };
const hour = 3_600_000;
const mean = [{ name: "mean", type: "mean" }];

/** A window of each is open after part 0 has come once. */
const patterns = {
  "count of 3": { type: "count", atLeast: 3, withinMs: hour, ...keyed },
  "count of 5": { type: "count", atLeast: 5, withinMs: hour, ...keyed },
  "sequence of 3": { type: "sequence", parts: 3, withinMs: hour, ...keyed },
  "all of 3": { type: "all", parts: 3, withinMs: hour, ...keyed },
  throttle: { type: "throttle", everyMs: hour, ...keyed },
  absence: { type: "absence", withinMs: hour, ...keyed },
  "tumbling, 1 aggregate": { type: "tumbling", everyMs: hour, aggregates: mean, ...keyed },
  "session, 1 aggregate": { type: "session", gapMs: hour, aggregates: mean, ...keyed },
  "debounce, event of 2 fields": { type: "debounce", quietMs: hour, ...keyed },
  "sliding, 8 buckets": { type: "sliding", withinMs: hour, buckets: 8, aggregates: mean, ...keyed },
};

/** Prints bytes for each open window: heap and array buffers after a collection, keys included. */
export function measureMemory() {
  console.log(
    `\nMemory of an open window: ${keysPerPattern.toLocaleString("en")} keys of 12 to 16 characters for each pattern`,
  );
  const kept = [];
  const begin = held();
  let before = begin;
  for (const [name, pattern] of Object.entries(patterns)) {
    kept.push(opened(pattern));
    const after = held();
    print(name, (after - before) / keysPerPattern);
    before = after;
  }
  const windows = kept.reduce((sum, matching) => sum + matching.counts()[0].open, 0);
  print(`all ${windows.toLocaleString("en")} windows`, (before - begin) / windows);
}

function opened(pattern) {
  const matching = new Matching();
  matching.bring(new Map([["file/rule", pattern]]));
  for (let i = 0; i < keysPerPattern; i += 1) {
    // Read from JSON and put together, as the keys of real events are.
    const { node, disk } = JSON.parse(`{"node":"node-${i}","disk":"disk-${i % 9}"}`);
    const kept = pattern.type === "debounce" ? { kept: Object.freeze({ disk, node }) } : {};
    const values = "aggregates" in pattern ? { values: [i] } : {};
    matching.take("file/rule", { key: `${node}/${disk}`, part: 0, ...values, ...kept }, 1 + i);
  }
  return matching;
}

function held() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function print(name, bytes) {
  console.log(`  ${name.padEnd(38)} ${bytes.toFixed(0).padStart(10)} B`);
}
