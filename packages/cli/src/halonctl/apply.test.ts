import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Runs a command on a cluster file that names nothing. */
async function run(command: readonly string[], overrides: Parameters<typeof memoryPorts>[0] = {}) {
  const directory = mkdtempSync(join(tmpdir(), "halon-apply-"));
  const file = join(directory, "cluster.json");
  writeFileSync(file, JSON.stringify({ services: [], rules: [] }));
  const { ports, submitted } = memoryPorts(overrides);
  const listener = await listen({ host: "127.0.0.1", port: 0, ports, allowedHosts: [] });
  ends.push(async () => {
    await listener.close(0);
    rmSync(directory, { recursive: true });
  });
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  const exit = await runHalonctl([...command, "-f", file], io);
  return { exit, ...written, submitted };
}

const { ports } = memoryPorts();
const nothing = { items: [], more: 0 };
const quiet = {
  plan: () =>
    Promise.resolve({
      rules: nothing,
      resources: nothing,
      commands: nothing,
      events: nothing,
      failures: [],
    }),
};
const noLeader = { identity: () => ({ ...ports.identity(), leaderEndpoint: null }) };

test.each([
  ["plan, when a command would be sent", ["plan"], {}, 8],
  ["plan, when nothing would happen", ["plan"], quiet, 0],
  ["a dry run of apply, whatever would happen", ["apply", "--dry-run"], {}, 0],
  ["diff, when there is none", ["diff"], {}, 0],
  ["diff --prune, when something is to go", ["diff", "--prune"], {}, 8],
  ["plan, when no leader is there", ["plan", "--timeout", "200ms"], noLeader, 5],
  ["diff, when no leader is there: any node knows", ["diff"], noLeader, 0],
] as const)("%s: halonctl %j submits nothing and ends as said", async (_, command, over, exit) => {
  const ended = await run(command, over);
  expect([ended.exit, ended.submitted]).toEqual([exit, []]);
});

test("what a dry run shows is what plan shows", async () => {
  const plan = await run(["plan"]);
  expect((await run(["apply", "--dry-run"])).out).toBe(plan.out);
  expect(plan.out).toContain("web@node-1#2");
});
