import fc from "fast-check";
import { expect, test } from "vitest";
import { type Beat, beatBytesMax, clusterHashBytes, decodeBeat, encodeBeat } from "./wire.ts";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const beats: fc.Arbitrary<Beat> = fc.record({
  node: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  incarnation: fc.maxSafeNat(),
  sequence: fc.maxSafeNat(),
  counters: fc.record({ main: uint32, supervisor: uint32, coordinator: uint32, member: uint32 }),
});
const clusters = fc.uint8Array({ minLength: clusterHashBytes, maxLength: clusterHashBytes });
const cluster = new Uint8Array(clusterHashBytes).fill(7);
const beat: Beat = {
  node: "node-1",
  incarnation: 1_700_000_000_000,
  sequence: 12,
  counters: { main: 1, supervisor: 2, coordinator: 3, member: 0xffff_ffff },
};

test("a beat is read as it was written, and is no longer than a beat may be", () => {
  fc.assert(
    fc.property(beats, clusters, (sent, of) => {
      const bytes = encodeBeat(sent, of);
      expect(bytes.length).toBeLessThanOrEqual(beatBytesMax);
      expect(decodeBeat(bytes, of)).toEqual(sent);
    }),
  );
});

test("the bytes of version 1 stay as they are", () => {
  expect(encodeBeat(beat, cluster).toString("hex")).toBe(
    "486201060707070707070707" +
      "0000018bcfe56800" +
      "000000000000000c" +
      "000000010000000200000003ffffffff" +
      "6e6f64652d31",
  );
});

test("what is not a beat of this cluster, to the byte, is dropped, and nothing that comes in throws", () => {
  const bytes = encodeBeat(beat, cluster);
  for (let length = 0; length < bytes.length; length += 1)
    expect(decodeBeat(bytes.subarray(0, length), cluster)).toBeNull();
  expect(decodeBeat(Buffer.concat([bytes, Buffer.from("x")]), cluster)).toBeNull();
  expect(decodeBeat(Buffer.alloc(65_507), cluster)).toBeNull();
  expect(decodeBeat(bytes, new Uint8Array(clusterHashBytes))).toBeNull();
  const noise = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(noise, (random) => decodeBeat(Buffer.from(random), cluster) === null),
    { numRuns: 2_000 },
  );
});

test("a beat with any byte changed is dropped, or is one with a name and numbers that may be", () => {
  fc.assert(
    fc.property(beats, fc.nat(600), fc.integer({ min: 1, max: 255 }), (sent, where, change) => {
      const bytes = encodeBeat(sent, cluster);
      const index = where % bytes.length;
      bytes.writeUInt8((bytes.readUInt8(index) ^ change) & 0xff, index);
      const read = decodeBeat(bytes, cluster);
      // Magic, version, length of the name and cluster.
      if (index < 12) expect(read).toBeNull();
      if (read === null) return;
      expect(read.node).toMatch(/^[a-z0-9-]{1,63}$/);
      expect(Number.isSafeInteger(read.incarnation) && Number.isSafeInteger(read.sequence)).toBe(
        true,
      );
    }),
    { numRuns: 2_000 },
  );
});
