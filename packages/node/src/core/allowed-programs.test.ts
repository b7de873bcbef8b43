import { expect, test } from "vitest";
import { type AllowedPrograms, permit } from "./allowed-programs.ts";

const allowed: AllowedPrograms = new Map([
  [
    "mkfs",
    {
      command: ["/sbin/mkfs", "-t", "ext4"],
      timeoutMs: 60_000,
      args: { max: 1, pattern: /^(?:\/dev\/sd[a-z])$/u },
      env: { LANG: "C" },
    },
  ],
]);
const ask = (name: string, args: readonly string[], timeoutMs = 1_000) =>
  permit(allowed, { name, args, timeoutMs });

test("the arguments of the rule come after those of the file", () => {
  expect(ask("mkfs", ["/dev/sda"])).toEqual({
    type: "run",
    file: "/sbin/mkfs",
    args: ["-t", "ext4", "/dev/sda"],
    env: { LANG: "C" },
    timeoutMs: 1_000,
  });
});

test("the earlier of both deadlines holds", () => {
  expect(ask("mkfs", [], 90_000)).toMatchObject({ timeoutMs: 60_000 });
});

test.each([
  {
    name: "sh",
    args: [],
    reason: "sh is not among the programs that may be run on this node: mkfs",
  },
  { name: "mkfs", args: ["/dev/sda", "/dev/sdb"], reason: "takes 1 arguments at most here" },
  { name: "mkfs", args: ["-f"], reason: "argument 1 of mkfs does not match" },
  { name: "mkfs", args: ["/dev/sda\n"], reason: "argument 1 of mkfs does not match" },
])("what the file does not name is refused: $reason", ({ name, args, reason }) => {
  expect(ask(name, args)).toMatchObject({
    type: "refuse",
    reason: expect.stringContaining(reason),
  });
});

test("a node without a file runs nothing, and says how to change that", () => {
  expect(permit(new Map(), { name: "mkfs", args: [], timeoutMs: 1 })).toEqual({
    type: "refuse",
    reason:
      "no program may be run on this node; name mkfs in a file and start halond with --allow-run FILE",
  });
});
