import fc from "fast-check";
import { expect, test } from "vitest";
import {
  StreamReader,
  StreamWriter,
  streamFrameBytesMax,
  streamMessageBytesMax,
} from "./stream.ts";

test("whatever the cuts between frames, the messages come out as they went in", () => {
  const message = fc.uint8Array({ maxLength: 50 });
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(60)), (messages, cuts) => {
      const writer = new StreamWriter();
      for (const one of messages) writer.add(one);
      const bytes = Buffer.concat(writer.take());
      const reader = new StreamReader();
      const found: Uint8Array[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        found.push(...(reader.push(bytes.subarray(at, at + cut)) ?? []));
        at = Math.min(bytes.length, at + cut);
      }
      found.push(...(reader.push(bytes.subarray(at)) ?? []));
      expect(found.map((one) => Buffer.from(one))).toEqual(messages.map((one) => Buffer.from(one)));
    }),
  );
});

test("a message larger than a frame goes out in several", () => {
  const writer = new StreamWriter();
  writer.add(new Uint8Array(2 * streamFrameBytesMax));
  const frames = writer.take();
  expect(frames.map((frame) => frame.length)).toEqual([
    streamFrameBytesMax,
    streamFrameBytesMax,
    4,
  ]);
  expect(writer.isEmpty).toBe(true);
});

test("a message that is too large is refused by its sender, and not waited for by its receiver", () => {
  expect(() => new StreamWriter().add(new Uint8Array(streamMessageBytesMax + 1))).toThrow(
    expect.objectContaining({ code: "HAL_TOO_LARGE" }),
  );
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(streamMessageBytesMax + 1);
  expect(new StreamReader().push(prefix)).toBe(null);
});
