import { expect, test } from "vitest";
import { decodeRecords, encodeRecords } from "./journal-frame.ts";

const records = [
  { index: 7, data: Uint8Array.of(1, 2, 3) },
  { index: 9, data: new Uint8Array(0) },
  { index: 2 ** 40, data: Uint8Array.of(4) },
];

test("records come back as they were, also out of the middle of a buffer", () => {
  const bytes = encodeRecords(records);
  const inside = new Uint8Array(bytes.length + 6);
  inside.set(bytes, 3);
  expect(decodeRecords(inside.subarray(3, 3 + bytes.length))).toEqual(records);
  expect(decodeRecords(encodeRecords([]))).toEqual([]);
});

test("what is cut or out of order is refused", () => {
  const bytes = encodeRecords(records);
  for (const length of [1, 11, 14, 20, bytes.length - 1])
    expect(decodeRecords(bytes.subarray(0, length))).toBeNull();
  expect(decodeRecords(encodeRecords([...records].reverse()))).toBeNull();
});
