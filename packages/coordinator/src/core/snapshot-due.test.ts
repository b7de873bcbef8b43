import { expect, test } from "vitest";
import { isSnapshotDue } from "./snapshot-due.ts";

const MiB = 1024 * 1024;

test.each([
  { name: "few records", records: 4_999, recordBytes: MiB, snapshotBytes: 0, due: false },
  { name: "enough records", records: 5_000, recordBytes: MiB, snapshotBytes: MiB, due: true },
  {
    name: "enough records that are smaller than a large state",
    records: 50_000,
    recordBytes: MiB,
    snapshotBytes: 2 * MiB,
    due: false,
  },
  {
    name: "few, very large records",
    records: 2,
    recordBytes: 64 * MiB,
    snapshotBytes: 0,
    due: true,
  },
  {
    name: "64 MiB of records and a state that is larger yet",
    records: 5,
    recordBytes: 64 * MiB,
    snapshotBytes: 900 * MiB,
    due: true,
  },
])("$name: a snapshot is due: $due", ({ due, ...log }) => {
  expect(isSnapshotDue(log)).toBe(due);
});
