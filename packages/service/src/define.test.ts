import { expect, test } from "vitest";
import { defineCluster, defineService, file, secret, z } from "./index.ts";

const common = { name: "web", version: "1.0.0", config: z.object({ port: z.number() }) };

test("the configuration's type reaches start", () => {
  const definition = defineService({
    ...common,
    start: ({ config }) => ({ status: () => config.port + 1 }),
  });
  expect(definition.kind).toBe("halon.service");
});

test("a secret is text to the service, whatever else is asked of it", () => {
  const config = z.object({ key: secret().min(8), other: secret().optional() });
  const definition = defineService({
    ...common,
    config,
    start: ({ config }) => ({ status: () => config.key.length + (config.other?.length ?? 0) }),
  });
  expect(definition.config.parse({ key: "12345678" })).toEqual({ key: "12345678" });
});

test("an agent needs no configuration of its own", () => {
  const { ocf, config } = defineService({
    name: "dummy",
    version: "1.0.0",
    ocf: "ocf:heartbeat:Dummy",
  });
  expect([ocf, config.parse({})]).toEqual(["ocf:heartbeat:Dummy", {}]);
});

test("an OS process is data", () => {
  const command = ["node", file("./server.mjs")];
  expect(defineService({ ...common, process: { command } }).process).toEqual({
    command: ["node", { file: "./server.mjs" }],
  });
});

test.each([
  { name: "an unknown field", value: { ...common, strat: 1 }, message: 'unknown field "strat"' },
  {
    name: "neither kind",
    value: common,
    message: "needs one of these and no other: start for code",
  },
  {
    name: "both kinds",
    value: { ...common, start: () => ({}), process: { command: ["x"] } },
    message: "needs one of these and no other",
  },
  {
    name: "an unknown restart field",
    value: { ...common, restart: { reset: "1s" }, start: () => ({}) },
    message: 'restart: unknown field "reset"; allowed are resetAfter',
  },
])("$name is refused", ({ value, message }) => {
  expect(() => defineService(value as never)).toThrow(message);
});

test("a cluster file with an unknown field is refused", () => {
  expect(() => defineCluster({ service: [] } as never)).toThrow('unknown field "service"');
  const nodes = { breaker: { node: 3 } };
  expect(() => defineCluster({ nodes } as never)).toThrow('nodes.breaker: unknown field "node"');
});
