import fc from "fast-check";
import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.ts";

test("events come in the order of time, and those of one time in the order of their pushes", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (actions) => {
      const queue = new EventQueue<never>();
      const model: { readonly time: number; readonly number: number }[] = [];
      let number = 0;
      for (const time of actions) {
        if (time !== null) {
          queue.push(time, 0, number, 0, null);
          model.push({ time, number });
          number += 1;
          continue;
        }
        model.sort((left, right) => left.time - right.time || left.number - right.number);
        const next = model.shift();
        expect(queue.pop()).toBe(next !== undefined);
        if (next !== undefined) expect([queue.time, queue.a]).toEqual([next.time, next.number]);
      }
    }),
  );
});

test("a queue grows past its first capacity and keeps every event", () => {
  const queue = new EventQueue<Uint8Array>();
  const payload = new Uint8Array([7]);
  for (let i = 0; i < 5_000; i++) queue.push(5_000 - i, i & 3, i, -i, payload);
  for (let time = 1; time <= 5_000; time++) {
    queue.pop();
    expect([queue.time, queue.a, queue.b, queue.payload]).toEqual([
      time,
      5_000 - time,
      time - 5_000,
      payload,
    ]);
  }
  expect(queue.pop()).toBe(false);
});
