import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { checkConfig, hashOf } from "../runtime/configuration.ts";
import { describeAgent } from "./describe.ts";
import { debianAgents, hasDebianAgents } from "./testing.ts";

const testAgents = fileURLToPath(new URL("../../../testdata/ocf", import.meta.url));

beforeAll(() => {
  process.env["HALON_OCF_ROOT"] = testAgents;
});
afterAll(() => {
  delete process.env["HALON_OCF_ROOT"];
});

test("parameters become a schema: types, what is needed, and no others; defaults are left to the agent", async () => {
  const { configurationSchema, version, description } = await describeAgent("ocf:test:scripted");
  expect({ version, description }).toEqual({
    version: "1.1",
    description: "Does as it is told & no more",
  });
  expect(configurationSchema).toMatchObject({
    required: ["pidfile"],
    additionalProperties: false,
    properties: {
      pidfile: { type: "string", description: "Where its number stands. Unique on a node." },
      calls: { type: "string", description: "Default: /dev/null" },
      lies: { type: "boolean" },
      tries: { type: "integer" },
      wait: { type: ["string", "number"] },
      mode: { enum: ["fast", "safe"] },
      greeting: { "x-reloadable": true },
      OCF_CHECK_LEVEL: { enum: [0, 10] },
    },
  });
  const manifest = { configurationSchema, schemaHash: hashOf(configurationSchema) };
  const secret = { $secret: "env:PASSWORD" };
  expect(checkConfig(manifest, { pidfile: "/x", password: secret })).toEqual({
    type: "valid",
    config: { pidfile: "/x", password: secret },
  });
  expect(checkConfig(manifest, { pidfile: "/x", pidfiel: "/x" }).type).toBe("invalid");
  expect(checkConfig(manifest, {}).type).toBe("invalid");
});

test("actions come with their deadlines; of several monitors the plain one counts", async () => {
  const { actions } = await describeAgent("ocf:test:scripted");
  expect(actions["start"]).toEqual({ timeoutMs: 5_000 });
  expect(actions["stop"]).toEqual({ timeoutMs: 5_000 });
  expect(actions["monitor"]).toEqual({ timeoutMs: 3_000, intervalMs: 10_000 });
});

test.each([
  ["ocf:test:scriptd", "Near to it: ocf:test:scripted"],
  ["ocf:heartbeat:none", "package resource-agents"],
  ["ocf:test:unexecutable", "chmod +x"],
  ["ocf:..:..", "is no resource agent"],
  ["lsb:ssh", "is no resource agent"],
  ["ocf:test:refusing", "returned 5 (not installed), expected 0; it wrote: no meta-data today"],
  ["ocf:test:broken", "are no XML, line 2"],
  ["ocf:test:entities", "declare entities"],
  ["ocf:test:deep", "cannot be read"],
  ["ocf:test:plain", "has no action monitor"],
  ["ocf:test:talkative", "more than 1 MiB"],
])("%s is refused, and the error says why: %s", async (agent, reason) => {
  await expect(describeAgent(agent)).rejects.toMatchObject({
    code: "HAL_SERVICE_LOAD",
    message: expect.stringContaining(reason),
  });
});

test.skipIf(!hasDebianAgents)("agents of Debian describe themselves", async () => {
  process.env["HALON_OCF_ROOT"] = debianAgents;
  try {
    for (const name of ["Dummy", "redis", "nginx", "anything", "Stateful", "IPaddr2"]) {
      const { configurationSchema } = await describeAgent(`ocf:heartbeat:${name}`);
      z.fromJSONSchema(configurationSchema as z.core.JSONSchema.JSONSchema);
      expect(configurationSchema["properties"]).not.toEqual({});
    }
    expect(readdirSync(debianAgents)).not.toEqual([]);
  } finally {
    process.env["HALON_OCF_ROOT"] = testAgents;
  }
});
