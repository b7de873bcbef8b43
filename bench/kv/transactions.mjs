// Requests parsed, sequenced, applied and read, and snapshots written and restored: what the agency's members do all
// day, beside the engine's JSON in the same run. Times are of processor time, the collector's threads included.
// Run after `npm run build`: node --expose-gc bench/kv/transactions.mjs [section | directory of a build]…
// Sections are transactions, trees and snapshots; all unless told. Several builds are measured in turn, so that a busy neighbour slows all of them; × is the first to this one.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const roundCount = 25;
const roundMs = 40;
const keyCount = 10_000;
const perBatch = 100;
const snapshotKeys = 1_000_000;
const stamp = { logTime: 5, wallTime: 1_700_000_000_000 };

const sections = {
  transactions: compareTransactions,
  trees: compareTrees,
  snapshots: compareSnapshots,
};
const given = process.argv.slice(2);
const isSection = (argument) => Object.hasOwn(sections, argument);
const directories = given.filter((argument) => !isSection(argument));
if (directories.length === 0) directories.push("packages/kv/dist");
const builds = [];
for (const directory of directories) {
  const url = pathToFileURL(`${resolve(directory)}/`);
  const { Tree, Edit } = await import(new URL("tree.js", url));
  builds.push({ name: directory, Tree, Edit, ...(await import(new URL("index.js", url))) });
}

/** What was found last, so that no work can be left out. */
export let kept;

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Microseconds of processor time that one call takes, over about `roundMs`. */
function microsOnce(work) {
  const start = cpuSeconds();
  const end = performance.now() + roundMs;
  let count = 0;
  let batch = 1;
  while (performance.now() < end) {
    for (let i = 0; i < batch; i += 1) work(count + i);
    count += batch;
    if (batch < 256) batch *= 2;
  }
  return ((cpuSeconds() - start) * 1e6) / count;
}

/** Runs all contestants in turn, several times, and prints the least of each, a call's parts counted by `per`. */
function compare(what, per, contestants) {
  const least = contestants.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < roundCount; round += 1) {
    for (const [i, { work }] of contestants.entries()) {
      least[i] = Math.min(least[i], microsOnce(work) / per);
    }
  }
  for (const [i, { name }] of contestants.entries()) {
    const ratio = i === 0 ? "" : `${(least[0] / least[i]).toPrecision(3)} ×`;
    const micros = least[i].toFixed(3).padStart(9);
    console.log(`${what.padEnd(34)} ${name.padEnd(20)} ${micros} µs ${ratio.padStart(9)}`);
  }
}

// Through a buffer, as bodies come: an engine's string that was joined together is slower to read.
const flat = (text) => Buffer.from(text).toString();
const value = "x".repeat(256);
const single = (i) => `[{"/bench/k${(i * 7_919) % keyCount}":{"op":"set","new":"${value}"}}]`;
const bodies = Array.from({ length: keyCount }, (_, i) => flat(`[${single(i)}]`));
const manyBodies = Array.from({ length: keyCount / perBatch }, (_, i) =>
  flat(`[${Array.from({ length: perBatch }, (_, n) => single(i * perBatch + n)).join()}]`),
);
const pickBody = (i) => bodies[i % bodies.length];
const pickMany = (i) => manyBodies[i % manyBodies.length];
const engine = (text) => ({ name: "JSON.parse", work: (i) => (kept = JSON.parse(text(i))) });

const each = (work) => builds.map((build) => ({ name: build.name, work: work(build) }));

/** A state of `count` values, made by the build itself. */
function filled(build, count) {
  let state = build.emptyKv;
  for (let from = 0; from < count; from += 1_000) {
    const some = Array.from({ length: Math.min(1_000, count - from) }, (_, n) => [
      `/bench/k${from + n}`,
      value,
    ]);
    const batch = new build.Batch(state, stamp);
    batch.add(build.ownTransaction(JSON.stringify(Object.fromEntries(some))));
    state = batch.state;
  }
  return state;
}

function compareTransactions() {
  compare("parse a body of one set", 1, [
    ...each((build) => (i) => {
      kept = build.parseWriteRequest(pickBody(i));
    }),
    engine(pickBody),
  ]);
  compare(`parse a body of ${perBatch}, each`, perBatch, [
    ...each((build) => (i) => {
      kept = build.parseWriteRequest(pickMany(i));
    }),
    engine(pickMany),
  ]);
  compare(
    `sequence ${perBatch}, each`,
    perBatch,
    each((build) => {
      const requests = manyBodies.map((body) => build.parseWriteRequest(body).writes);
      let state = filled(build, keyCount);
      return (i) => {
        const batch = new build.Batch(state, stamp);
        for (const write of requests[i % requests.length]) batch.add(write);
        kept = batch.entry();
        state = batch.state;
      };
    }),
  );
  compare(
    `apply an entry of ${perBatch}, each`,
    perBatch,
    each((build) => {
      const before = filled(build, keyCount);
      let state = before;
      const entries = manyBodies.map((body) => {
        const batch = new build.Batch(state, stamp);
        for (const write of build.parseWriteRequest(body).writes) batch.add(write);
        state = batch.state;
        return flat(batch.entry());
      });
      return (i) => {
        if (i % entries.length === 0) state = { ...state, index: before.index };
        state = build.applyEntry(state, entries[i % entries.length]).state;
      };
    }),
  );
  compare(
    "read one path",
    1,
    each((build) => {
      const state = filled(build, keyCount);
      const reads = Array.from({ length: keyCount }, (_, i) => [
        [`/bench/k${(i * 7_919) % keyCount}`],
      ]);
      return (i) => {
        kept = build.readTransactions(state, reads[i % reads.length], 5);
      };
    }),
  );
  compare(
    "parse the body of that read",
    1,
    each((build) => {
      const texts = Array.from({ length: keyCount }, (_, i) => flat(`[["/bench/k${i}"]]`));
      return (i) => {
        kept = build.parseReadRequest(texts[i % texts.length]);
      };
    }),
  );
}

function compareTrees() {
  const count = 1_000_000;
  const keys = Array.from({ length: count }, (_, i) => `key${i}`);
  const pick = (i) => keys[(i * 7_919) % count];
  const trees = builds.map(({ Tree, Edit }) => {
    const edit = new Edit();
    return keys.reduce((tree, key) => tree.set(key, 1, edit), Tree.empty);
  });
  compare(
    "get, 1,000,000 keys",
    1,
    builds.map(({ name }, b) => ({
      name,
      work: (i) => {
        kept = trees[b].get(pick(i));
      },
    })),
  );
  compare(
    "set under a token, 1,000,000 keys",
    1,
    builds.map(({ name, Edit }, b) => {
      let edit = new Edit();
      let serial = 0;
      return {
        name,
        work: (i) => {
          if (i % 1_000 === 0) edit = new Edit();
          serial += 1;
          trees[b] = trees[b].set(pick(i), serial, edit);
        },
      };
    }),
  );
}

function compareSnapshots() {
  for (const build of [...builds, ...builds]) {
    const state = filled(build, snapshotKeys);
    globalThis.gc?.();
    const start = cpuSeconds();
    const chunks = [...build.snapshotChunks(state)];
    const written = cpuSeconds();
    const copies = chunks.map(flat);
    chunks.length = 0;
    globalThis.gc?.();
    const copied = cpuSeconds();
    const reader = new build.SnapshotReader();
    for (const chunk of copies) reader.push(chunk);
    kept = reader.finish();
    const restored = cpuSeconds();
    kept = undefined;
    console.log(
      `snapshot of ${snapshotKeys} × ${value.length} B`.padEnd(34),
      build.name.padEnd(20),
      `write ${(written - start).toFixed(2)} s  restore ${(restored - copied).toFixed(2)} s`,
    );
  }
}

const chosen = given.some(isSection) ? given.filter(isSection) : Object.keys(sections);
for (const section of chosen) sections[section]();
