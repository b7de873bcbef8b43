import fc from "fast-check";
import { expect, test } from "vitest";
import { SlotHeap } from "./slot-heap.ts";

test("the first is the least of those that were put and not removed, whatever came before", () => {
  const slot = fc.integer({ min: 0, max: 40 });
  const put = fc.record({ slot, due: fc.integer({ min: 0, max: 9 }) });
  const remove = fc.record({ slot, due: fc.constant(null) });
  fc.assert(
    fc.property(fc.array(fc.oneof(put, put, remove), { maxLength: 200 }), (acts) => {
      const dues = new Map<number, number>();
      const orderOf = (of: number) => (dues.get(of) ?? 0) * 100 + of;
      const heap = new SlotHeap((a, b) => orderOf(a) < orderOf(b));
      for (const { slot: at, due } of acts) {
        if (due === null) {
          heap.remove(at);
          dues.delete(at);
        } else {
          dues.set(at, due);
          heap.put(at);
        }
        const least = [...dues.keys()].sort((a, b) => orderOf(a) - orderOf(b))[0] ?? -1;
        expect(heap.first).toBe(least);
      }
    }),
  );
});
