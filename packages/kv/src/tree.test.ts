import fc from "fast-check";
import { expect, test } from "vitest";
import { hashOf } from "./hash.ts";
import { Edit, Tree, treeOf } from "./tree.ts";

/** Names with a meaning in JavaScript, and enough others for every form of a node. */
const names = ["", "__proto__", "constructor", "toString", "0", "10", "2"];
const keys = [...names, ...Array.from({ length: 400 }, (_, i) => `k${i}`)];
const change = fc.record({ key: fc.constantFrom(...keys), value: fc.option(fc.nat(9)) });
/** Changes to an earlier revision, under one token or none. */
const work = fc.record({
  from: fc.nat(),
  isOwned: fc.boolean(),
  changes: fc.array(change, { maxLength: 60, size: "max" }),
});

type Revision = readonly [tree: Tree, model: ReadonlyMap<string, number>];

function contentOf(tree: Tree): unknown[] {
  return [tree.size, new Map(tree.entries())];
}

function applied(
  tree: Tree,
  { key, value }: typeof change extends fc.Arbitrary<infer T> ? T : never,
  edit?: Edit,
) {
  return value === null ? tree.delete(key, edit) : tree.set(key, value, edit);
}

test("a tree is a map, and no revision changes when a later one is made, with tokens or without", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.array(work, { maxLength: 12 }), (filled, works) => {
      const first = new Map(keys.slice(0, filled).map((key, i) => [key, i]));
      const revisions: Revision[] = [[treeOf(first), first]];
      for (const { from, isOwned, changes } of works) {
        let [tree, model] = revisions[from % revisions.length] as Revision;
        const edit = isOwned ? new Edit() : undefined;
        for (const one of changes) {
          tree = applied(tree, one, edit);
          const next = new Map(model);
          if (one.value === null) next.delete(one.key);
          else next.set(one.key, one.value);
          model = next;
          expect(tree.get(one.key)).toBe(model.get(one.key));
          expect(tree.has(one.key)).toBe(model.has(one.key));
          if (!isOwned) revisions.push([tree, model]);
        }
        revisions.push([tree, model]);
      }
      for (const [tree, model] of revisions) expect(contentOf(tree)).toEqual([model.size, model]);
    }),
    { numRuns: 60 },
  );
});

test("the order of entries depends on the content alone", () => {
  const some = fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(some, some, fc.boolean(), (kept, gone, isOwned) => {
      const passing = gone.filter((key) => !kept.includes(key));
      const edit = isOwned ? new Edit() : undefined;
      let tree = Tree.empty;
      for (const key of [...passing, ...kept.toReversed()]) tree = tree.set(key, key, edit);
      for (const key of passing) tree = tree.delete(key, edit);
      expect([...tree.keys()]).toEqual([...treeOf(kept.map((key) => [key, key])).keys()]);
    }),
    { numRuns: 300 },
  );
});

test("up to eight entries are in the order of their keys", () => {
  const tree = treeOf(["10", "2", "b", "", "a", "0", "1"].map((key) => [key, true]));
  expect([...tree.keys()]).toEqual(["", "0", "1", "10", "2", "a", "b"]);
});

test("an operation that changes nothing gives the same tree", () => {
  const tree = treeOf(keys.map((key) => [key, key]));
  expect(tree.set("k1", "k1")).toBe(tree);
  expect(tree.delete("absent")).toBe(tree);
});

test("under its token a tree is changed in place, and the one before stays as it was", () => {
  const before = treeOf([["a", 1]]);
  const edit = new Edit();
  const mine = before.set("b", 2, edit);
  expect(mine.set("c", 3, edit)).toBe(mine);
  expect(mine.set("d", 4, new Edit())).not.toBe(mine);
  expect([...before.keys()]).toEqual(["a"]);
  expect([...mine.keys()]).toEqual(["a", "b", "c"]);
});

test("names of Object.prototype are absent from a tree that was not given them", () => {
  const tree = treeOf([["a", 1]]);
  expect(names.filter((name) => tree.has(name))).toEqual([]);
});

/** Two texts after `prefix` that lead to one hash. */
function collisionAfter(prefix: string): readonly [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0; ; i += 1) {
    const text = (Math.imul(i, 0x9e3779b1) >>> 0).toString(36);
    const hash = hashOf(prefix + text, 0);
    const other = seen.get(hash);
    if (other !== undefined) return [other, text];
    seen.set(hash, text);
  }
}

test("keys made to collide are told apart, kept in one order, and taken out again", () => {
  let hostile = [""];
  for (let i = 0; i < 9; i += 1) {
    const ends = collisionAfter(hostile[0] ?? "");
    hostile = hostile.flatMap((key) => ends.map((end) => key + end));
  }
  expect(new Set(hostile.map((key) => hashOf(key, 0))).size).toBe(1);
  const tree = treeOf(hostile.map((key) => [key, key]));
  expect(hostile.filter((key) => tree.get(key) !== key)).toEqual([]);
  expect([...treeOf(hostile.toReversed().map((key) => [key, 1])).keys()]).toEqual([...tree.keys()]);
  const left = hostile.slice(1).reduce((rest, key) => rest.delete(key), tree);
  expect([...left.keys()]).toEqual(hostile.slice(0, 1));
  expect(tree.size).toBe(512);
});
