import fc from "fast-check";
import { expect, test } from "vitest";
import { Windows } from "./windows.ts";

test("windows keep their numbers and the order of their touches, however many there are", () => {
  const act = fc.record({ key: fc.integer({ min: 0, max: 300 }), isClosed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(act, { minLength: 200, maxLength: 600 }), (acts) => {
      const options = { width: 2, keysMax: 100, overflow: "oldest", idleMs: 1_000_000 } as const;
      const windows = new Windows(options);
      const model = new Map<string, readonly number[]>();
      let dropped = 0;
      for (const [at, { key: number, isClosed }] of acts.entries()) {
        const key = `key ${number}`;
        if (isClosed && windows.find(key) >= 0) windows.close(windows.find(key));
        if (isClosed) model.delete(key);
        else {
          const before = model.get(key);
          const [oldest] = model.keys();
          if (before === undefined && model.size === 100) {
            model.delete(oldest ?? "");
            dropped += 1;
          }
          const slot = windows.open(key, at);
          windows.set(slot, 1, windows.get(slot, 1) + number);
          model.delete(key);
          model.set(key, [0, (before?.[1] ?? 0) + number]);
        }
      }
      expect(windows.save().map(([key, , numbers]) => [key, numbers])).toEqual([...model]);
      expect([windows.size, windows.dropped]).toEqual([model.size, dropped]);
    }),
    { numRuns: 30 },
  );
});
