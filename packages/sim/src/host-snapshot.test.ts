import { describe, expect, test } from "vitest";
import {
  canonicalBytes,
  joinSnapshot,
  type MemberSnapshot,
  noHostState,
  splitSnapshot,
  withSlot,
} from "./host-snapshot.ts";

const tree = Uint8Array.of(1, 2, 3);
const slots = [1, 2, 3, 4].map((position) => ({
  position,
  epoch: position < 3 ? 1 : 2,
  data: new Uint8Array(position).fill(position),
}));

/** All four slots, with the host's state as of `base`. */
function snapshotAt(base: number): MemberSnapshot {
  const host = slots.slice(0, base).reduce(withSlot, noHostState);
  return { tree, records: { base, slots: slots.slice(base) }, host };
}

describe("a snapshot with the state of a host", () => {
  test.each([0, 2, 4])("is read back as it was written, as of %i", (base) => {
    const snapshot = snapshotAt(base);
    const { tree: readTree, records, host } = splitSnapshot(joinSnapshot(snapshot));
    expect({ tree: [...readTree], records, host }).toEqual({ ...snapshot, tree: [...tree] });
  });

  test("is the same on all members, wherever their hosts stood", () => {
    const [none, some, all] = [0, 2, 4].map((base) => canonicalBytes(snapshotAt(base)));
    expect(some).toEqual(none);
    expect(all).toEqual(none);
  });

  test("is another one when a slot is", () => {
    const { records, host } = snapshotAt(2);
    const [first, ...rest] = records.slots;
    if (first === undefined) throw new Error("no slot");
    const other = { ...records, slots: [{ ...first, epoch: 9 }, ...rest] };
    expect(canonicalBytes({ tree, records: other, host })).not.toEqual(
      canonicalBytes(snapshotAt(2)),
    );
  });

  test("is refused when it is not whole", () => {
    const bytes = joinSnapshot(snapshotAt(2));
    expect(() => splitSnapshot(bytes.slice(0, -1))).toThrow("not whole");
    const mixed = bytes.slice();
    mixed[5] = 9;
    expect(() => splitSnapshot(mixed)).toThrow("not whole");
  });
});
