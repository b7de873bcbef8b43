import fc from "fast-check";
import { expect, test } from "vitest";
import { keyOf, splitKey } from "./graph-view.ts";
import {
  CommandId,
  commandId,
  compareCommandIds,
  InstanceId,
  instanceId,
  Name,
  SlotId,
  slotId,
} from "./id.ts";

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const count = fc.nat({ max: 999_999_999 });

test.each(["web", "a", "node-1", "0", `${"a".repeat(63)}`])("%s is a name", (text) => {
  expect(Name.safeParse(text).success).toBe(true);
});

test.each([
  "",
  "Web",
  "-web",
  "web-",
  "a_b",
  "a/b",
  "..",
  "a b",
  `${"a".repeat(64)}`,
  "ä",
  "web\n",
])("%j is no name: names become file names and parts of keys", (text) => {
  expect(Name.safeParse(text).success).toBe(false);
});

test("ids that are built are ids that are accepted", () => {
  fc.assert(
    fc.property(name, name, count, (service, node, incarnation) => {
      const slot = slotId(service, node);
      expect(SlotId.parse(slot)).toBe(`${service}@${node}`);
      expect(InstanceId.parse(instanceId(slot, incarnation))).toBe(`${slot}#${incarnation}`);
      expect(CommandId.safeParse(commandId(incarnation, 3)).success).toBe(true);
    }),
  );
});

test("command ids order by record, then by position, as numbers", () => {
  fc.assert(
    fc.property(count, count, count, count, (index, position, otherIndex, otherPosition) => {
      const order = compareCommandIds(
        commandId(index, position),
        commandId(otherIndex, otherPosition),
      );
      expect(Math.sign(order)).toBe(
        Math.sign(index === otherIndex ? position - otherPosition : index - otherIndex),
      );
    }),
  );
  expect(compareCommandIds("9.0", "10.0")).toBeLessThan(0);
});

test("a key splits at its first slash, so that ids may hold slashes", () => {
  expect(splitKey(keyOf("TcpPort", "node-1/tcp/80"))).toEqual({
    kind: "TcpPort",
    id: "node-1/tcp/80",
  });
});
