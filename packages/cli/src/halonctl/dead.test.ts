import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function run(command: readonly string[], overrides: Parameters<typeof memoryPorts>[0] = {}) {
  const { ports, submitted } = memoryPorts(overrides);
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [] });
  ends.push(() => listener.close(0));
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  const exit = await runHalonctl(command, io);
  return { exit, ...written, submitted };
}

const none = { deadLetters: () => Promise.resolve({ letters: [], dropped: 0, waiting: 0 }) };

test("event dead lists each with its id, type and reason in 80 columns, and says what was forgotten", async () => {
  const { exit, out, err } = await run(["event", "dead"]);
  expect(exit).toBe(0);
  for (const part of ["e-1", "node/node-1:1:7", "Told", "no rule is on Told", "mine/one: Error"])
    expect(out).toContain(part);
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(err).toContain("2 older ones were forgotten");
  expect(JSON.parse((await run(["event", "dead", "-o", "json"])).out)).toMatchObject([
    { id: "e-1", attempts: 1 },
    { id: "node/node-1:1:7", rule: "mine/one", attempts: 3 },
    { id: "9-2", final: "its pattern had counted the event" },
  ]);
});

test.each([
  [["retry", "e-1"], "DeadLetterRetryRequested", ["e-1"]],
  [["drop", "event/e-1", "9-2"], "DeadLetterDropRequested", ["e-1", "9-2"]],
  [["retry", "--all"], "DeadLetterRetryRequested", ["e-1", "node/node-1:1:7"]],
  [["drop", "--all"], "DeadLetterDropRequested", ["e-1", "node/node-1:1:7", "9-2"]],
  [["drop", "--type", "Slow"], "DeadLetterDropRequested", ["9-2"]],
])(
  "event dead %j asks for these by name, without those that cannot be retried",
  async (words, type, events) => {
    const command = ["event", "dead", ...words, "--reason", "as said"];
    const { exit, submitted } = await run(command);
    expect(exit).toBe(0);
    expect(submitted).toMatchObject([{ type, data: { events, reason: "as said" } }]);
  },
);

test.each([[["retry"]], [["drop", "e-1", "--all"]], [["retry", "--type", "A", "--all"]]])(
  "event dead %j is wrong usage",
  async (words) => {
    const { exit, submitted } = await run(["event", "dead", ...words]);
    expect([exit, submitted]).toEqual([2, []]);
  },
);

test("a retry says how many are dead letters again, and why", async () => {
  const again = await run(["event", "dead", "retry", "node/node-1:1:7"]);
  expect(again.err).toContain("1 of 1 are dead letters again: mine/one: Error: cannot take 7");
  const { letters } = await memoryPorts().ports.deadLetters();
  let asked = 0;
  const deadLetters = async () => {
    asked += 1;
    return { letters: asked === 1 ? letters : letters.slice(1), dropped: 0, waiting: 0 };
  };
  const handled = await run(["event", "dead", "retry", "e-1"], { deadLetters });
  expect([handled.exit, handled.err]).toEqual([0, "1 of 1 were handled\n"]);
});

test("none of a type ends with 3; all of none is done", async () => {
  expect((await run(["event", "dead", "retry", "--type", "Other"])).exit).toBe(3);
  const all = await run(["event", "dead", "retry", "--all"], none);
  expect([all.exit, all.submitted]).toEqual([0, []]);
  expect(all.err).toContain("no dead letter");
});

test("without a leader it ends with 5", async () => {
  const { ports } = memoryPorts();
  const identity = () => ({ ...ports.identity(), leaderEndpoint: null });
  const command = ["event", "dead", "--timeout", "200ms"];
  expect((await run(command, { identity })).exit).toBe(5);
});
