import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  project,
  startCluster,
  startNode,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";

// What authors and operators of services see: messages, secrets, configurations, troubles and ends.

afterEach(cleanUp);

const value = "correct horse battery staple";

/** It takes sizes up to 5, and says how long its secret is. */
const counterService = `import { defineService, secret, z } from "@halon/service";
export default defineService({
  name: "counter",
  version: "1.0.0",
  config: z.object({ token: secret(), size: z.number().int().default(1) }),
  restart: { resetAfter: "500ms" },
  messages: {
    add: z.tuple([z.number(), z.number()]),
    size: z.tuple([]),
    secretLength: z.tuple([]),
    sleep: z.tuple([z.number()]),
    ask: z.tuple([z.string()]),
    done: z.tuple([]),
  },
  start(context) {
    if (context.config.size > 5) throw new Error("no room for " + context.config.token);
    return {
      status: () => ({ config: context.config }),
      messages: {
        add: (a: number, b: number) => a + b,
        size: () => context.config.size,
        secretLength: () => context.config.token.length,
        sleep: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
        ask: async (code: string) => await context.trouble(code, "with " + context.config.token),
        done: () => context.exit("all is counted"),
      },
    };
  },
});
`;

/** In a Node process of its own: it finds the counter and has it add. */
const clerkService = `import { defineService, z } from "@halon/service";
export default defineService({
  name: "clerk",
  version: "1.0.0",
  config: z.object({}),
  isolation: "process",
  start: (context) => ({
    messages: {
      async add(a: number, b: number) {
        const [counter] = await context.lookup("counter");
        if (counter === undefined) throw new Error("there is no counter");
        return [counter.node, await context.call(counter.instance, "add", [a, b])];
      },
    },
  }),
});
`;

const helpRules = `import { defineRules, events, on } from "@halon/rules";
export default defineRules({
  help: on(events.ServiceTrouble)
    .where(({ event }) => event.code === "DISK")
    .do(({ event, command }) => {
      const { node, service, instance, ref } = event;
      const action = { type: "AnswerTrouble", service, instance, ref, answer: "goOn", data: { free: 3 } } as const;
      command.send(node, action, { deadlineMs: 10_000 });
    }),
});
`;

function files(directory: string, services: readonly string[]): string {
  const key = join(directory, "counter.key");
  writeFileSync(key, `${value}\n`, { mode: 0o600 });
  const cluster = `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [${services.join(", ")}], rules: ["./help.rules.ts"] });
`;
  return project(join(directory, "project"), {
    "cluster.ts": cluster.replaceAll("TOKEN", JSON.stringify({ $secret: `file:${key}` })),
    "counter.service.ts": counterService,
    "clerk.service.ts": clerkService,
    "help.rules.ts": helpRules,
  });
}

/** Those files below the directory that hold the text. */
function filesWith(directory: string, text: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => !path.includes("/node_modules/"))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    .filter((path) => readFileSync(path, "latin1").includes(text));
}

test("a message reaches a service from every node, and services reach each other", async () => {
  const directory = temporaryDirectory();
  const file = files(directory, [
    `{ type: "./counter.service.ts", on: { node: "node-3" }, config: { token: TOKEN } }`,
    `{ type: "./clerk.service.ts", on: { node: "node-2" } }`,
  ]);
  const { endpoint } = await startCluster(join(directory, "data"), { args: ["--apply", file] });
  // The launcher compiles and applies the cluster file after the cluster is ready.
  await waitForState(endpoint, "counter", "running", { deadlineMs: 60_000 });
  await waitForState(endpoint, "clerk", "running");
  const { nodes } = await status(endpoint);
  for (const { address } of nodes) {
    const from = `http://${address}`;
    // Each node learns by its replica where the service runs.
    await waitForState(from, "counter", "running");
    expect(JSON.parse(await ctl(from, "service", "send", "counter", "add", "1", "2"))).toBe(3);
  }
  expect(JSON.parse(await ctl(endpoint, "service", "send", "clerk", "add", "20", "3"))).toEqual([
    "node-3",
    23,
  ]);
  const send = (...args: readonly string[]) => halonctl(endpoint, "service", "send", ...args);
  expect(await send("counter", "add", "1", "two")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("argument 2: expected number"),
  });
  expect(await send("counter", "sub", "1")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("it takes add, ask, done"),
  });
  expect((await send("counter", "sleep", "9000", "--timeout", "300ms")).code).toBe(6);
  expect((await send("counter", "add", "1", "2", "--on", "node-1")).code).toBe(4);
});

test("what an author says of a secret, a configuration, a trouble and an end is what people see", async () => {
  const directory = temporaryDirectory();
  const file = files(directory, [`{ type: "./counter.service.ts", config: { token: TOKEN } }`]);
  const { endpoint } = await startNode(join(directory, "data"), ["--apply", file]);
  const send = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse(await ctl(endpoint, "service", "send", "counter", ...args));
  await waitForState(endpoint, "counter", "running", { deadlineMs: 60_000 });
  expect(await send("secretLength")).toBe(value.length);
  expect(await ctl(endpoint, "service", "status", "counter")).toContain("(secret)");
  expect(await ctl(endpoint, "service", "config", "get", "counter")).toContain("counter.key");

  const plain = await halonctl(endpoint, "service", "config", "set", "counter", `token=${value}`);
  expect(plain).toMatchObject({ code: 2, stderr: expect.stringContaining("is a secret") });
  expect(plain.stderr + plain.stdout).not.toContain(value);

  const set = await halonctl(endpoint, "service", "config", "set", "counter", "size=9");
  expect(set).toMatchObject({ code: 1, stderr: expect.stringContaining("no room for (secret)") });
  await waitForState(endpoint, "counter", "running");
  expect(await send("size")).toBe(1);
  const { cluster } = await status(endpoint);
  expect(cluster.reasons?.join()).toContain("was taken back");

  expect(await send("ask", "DISK")).toEqual({ answer: "goOn", data: { free: 3 } });
  expect(await send("ask", "OTHER")).toEqual({ answer: "restart" });
  const failed = await waitFor("the failure to be in the log", async () =>
    (await events(endpoint, "ServiceFailed")).find((entry) => field(entry, "cause") === "trouble"),
  );
  expect(field(failed, "code")).toBe("OTHER");
  await waitForState(endpoint, "counter", "running");

  await ctl(endpoint, "service", "send", "counter", "done");
  const stopped = await waitForState(endpoint, "counter", "stopped");
  expect(stopped.reason).toContain("all is counted");
  await ctl(endpoint, "service", "start", "counter");
  await waitForState(endpoint, "counter", "running");
  // What it throws is its own output; everything else is Halon's.
  const own = join(directory, "data/services/counter/output.log");
  expect(filesWith(join(directory, "data"), value)).toEqual([own]);
});
