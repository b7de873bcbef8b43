// Sets, gets, parsing, writing and memory of the agency's tree, beside a Map, immer and the engine's JSON in
// the same run. Rates are per second of processor time, the collector's threads included; × is the first to this one.
// Run after `npm run build`: node --expose-gc bench/kv/kv.bench.mjs
import { produce } from "immer";
import { parseJson } from "../../packages/kv/dist/json.js";
import { JsonWriter, writeJson } from "../../packages/kv/dist/json-writer.js";
import { Edit, Tree, treeOf } from "../../packages/kv/dist/tree.js";

const roundCount = 3;
const roundMs = 250;
/** Sets under one token: about what one turn of a busy leader's event loop takes. */
const perToken = 1_000;

/** What was found last, so that no search can be left out. */
export let kept;

/** A walk over all of 0 to n-1 that no cache foresees. */
const strided = (n) => (i) => (i * 7_919) % n;

/** Seconds of processor time that this process has used; a busy neighbour does not count. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Calls of one function per second of processor time, over about `roundMs`. */
function rateOnce(work) {
  const start = cpuSeconds();
  const end = performance.now() + roundMs;
  let count = 0;
  let batch = 1;
  while (performance.now() < end) {
    for (let i = 0; i < batch; i += 1) work(count + i);
    count += batch;
    if (batch < 512) batch *= 2;
  }
  return count / (cpuSeconds() - start);
}

/** Runs all contestants in turn, several times, and prints the median of each beside the first. */
function compare(what, contestants) {
  const rates = contestants.map(() => []);
  for (let round = 0; round < roundCount; round += 1) {
    for (const [i, { work }] of contestants.entries()) rates[i].push(rateOnce(work));
  }
  const medians = rates.map((all) => all.sort((a, b) => a - b)[roundCount >> 1]);
  for (const [i, { name }] of contestants.entries()) {
    const ratio = i === 0 ? "" : `${(medians[0] / medians[i]).toPrecision(3)} ×`;
    const rate = Math.round(medians[i]).toLocaleString("en");
    console.log(
      `${what.padEnd(28)} ${name.padEnd(24)} ${rate.padStart(12)}/s ${ratio.padStart(12)}`,
    );
  }
}

function compareSets(what, path, paths) {
  const build = () => {
    const edit = new Edit();
    let root = Tree.empty;
    for (let i = 0; i < paths; i += 1) root = setAt(root, path(i), i, edit);
    return root;
  };
  let owned = build();
  let shared = build();
  let edit = new Edit();
  const map = new Map();
  const plain = {};
  for (let i = 0; i < paths; i += 1) {
    const segments = path(i);
    map.set(segments.join("/"), i);
    let at = plain;
    for (const segment of segments.slice(0, -1)) at = at[segment] ??= {};
    at[segments.at(-1)] = i;
  }
  const pick = strided(paths);
  const segments = Array.from({ length: paths }, (_, i) => path(i));
  const joined = segments.map((all) => all.join("/"));
  let frozen = produce(plain, () => undefined);
  let serial = 0;
  compare(`set, ${what}`, [
    {
      name: "tree, token",
      work: (i) => {
        if (i % perToken === 0) edit = new Edit();
        owned = setAt(owned, segments[pick(i)], ++serial, edit);
      },
    },
    {
      name: "tree, every one kept",
      work: (i) => {
        shared = setAt(shared, segments[pick(i)], ++serial, undefined);
      },
    },
    { name: "Map, in place", work: (i) => map.set(joined[pick(i)], ++serial) },
    {
      name: "immer",
      work: (i) => {
        frozen = produce(frozen, (draft) => {
          const all = segments[pick(i)];
          let at = draft;
          for (let s = 0; s < all.length - 1; s += 1) at = at[all[s]];
          at[all.at(-1)] = ++serial;
        });
      },
    },
  ]);
  compare(`get, ${what}`, [
    {
      name: "tree",
      work: (i) => {
        let value = shared;
        for (const segment of segments[pick(i)]) value = value.get(segment);
        kept = value;
      },
    },
    {
      name: "Map",
      work: (i) => {
        kept = map.get(joined[pick(i)]);
      },
    },
  ]);
}

function setAt(tree, segments, value, edit) {
  const [first, second] = segments;
  if (second === undefined) return tree.set(first, value, edit);
  return tree.set(first, (tree.get(first) ?? Tree.empty).set(second, value, edit), edit);
}

function compareBuilds() {
  const keys = Array.from({ length: 1_000_000 }, (_, i) => `key${i}`);
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const builds = [
    ["tree, token", () => treeOf(keys.map((key) => [key, 1]))],
    ["Map", () => new Map(keys.map((key) => [key, 1]))],
    ["object", () => Object.fromEntries(keys.map((key) => [key, 1]))],
  ];
  // In a function of its own, so that what one built is gone when the next is measured.
  const measure = (name, build) => {
    const before = heap();
    const start = cpuSeconds();
    const built = build();
    const rate = Math.round(keys.length / (cpuSeconds() - start)).toLocaleString("en");
    const bytes = (heap() - before) / keys.length;
    console.log(
      `${"build 1,000,000 keys".padEnd(28)} ${name.padEnd(24)} ${rate.padStart(12)}/s ${bytes.toFixed(0).padStart(6)} bytes a key`,
    );
    return typeof built;
  };
  for (const [name, build] of builds) measure(name, build);
}

function compareJson() {
  const value = "x".repeat(256);
  // Through a buffer, as bodies come: an engine's string that was joined together is slower to read.
  const flat = (text) => Buffer.from(text).toString();
  const bodies = Array.from({ length: 100 }, (_, i) =>
    flat(`[[{"/k${i}":{"op":"set","new":"${value}"}}]]`),
  );
  const batch = flat(`[${bodies.map((body) => body.slice(1, -1)).join(",")}]`);
  const rows = Array.from({ length: 1_000 }, (_, id) => ({
    id,
    name: `name ${id}`,
    tags: ["a", { b: 1.5 }],
  }));
  const nested = flat(JSON.stringify(rows));
  const compareOne = (what, text) =>
    compare(what, [
      { name: "kv", work: (i) => parseJson(text(i)) },
      { name: "JSON.parse", work: (i) => JSON.parse(text(i)) },
    ]);
  compareOne("parse a 290-byte body", (i) => bodies[i % 100]);
  compareOne("parse 100 in a body", () => batch);
  compareOne(`parse ${Math.round(nested.length / 1_024)} KiB of objects`, () => nested);
  const kvValue = parseJson(nested);
  const plainValue = JSON.parse(nested);
  compare(`write ${Math.round(nested.length / 1_024)} KiB of objects`, [
    { name: "kv", work: () => writeJson(kvValue) },
    {
      name: "kv, in pieces",
      work: () => {
        const writer = new JsonWriter(kvValue);
        while (writer.next() !== undefined);
      },
    },
    { name: "JSON.stringify", work: () => JSON.stringify(plainValue) },
  ]);
}

compareSets("100 × 100", (i) => [`a${Math.floor(i / 100)}`, `b${i % 100}`], 10_000);
compareSets("flat 10,000", (i) => [`key${i}`], 10_000);
compareSets("flat 1,000,000", (i) => [`key${i}`], 1_000_000);
compareBuilds();
compareJson();
