import { describe, expect, test } from "vitest";
import { fill, fillPort, type TemplateValues } from "./template.ts";

const values: TemplateValues = {
  config: { port: 8080, name: "a b", on: true, list: [1, "x"], empty: null },
  instance: "web@node-1#1",
  service: "web",
  node: "node-1",
  directory: "/data/services/web",
  blobPath: (hash) => `/blobs/${hash}.mjs`,
};

test.each([
  ["plain text", "plain text"],
  ["{config.port}", "8080"],
  ["--name={config.name}", "--name=a b"],
  ["{config.on}", "true"],
  ["{config.list}", '[1,"x"]'],
  ["{blob:abc}", "/blobs/abc.mjs"],
  ["{instance} {service} {node} {directory}", "web@node-1#1 web node-1 /data/services/web"],
  ["{{config.port}", "{config.port}"],
  ["{{{config.port}}", "{8080}"],
  ["a } b", "a } b"],
])("%j becomes %j", (template, text) => {
  expect(fill(template, values)).toBe(text);
});

test("{token} is the number of an exclusive start, and unknown in any other", () => {
  expect(fill("--token={token}", { ...values, lease: { token: 7 } })).toBe("--token=7");
  expect(() => fill("--token={token}", values)).toThrow(/only an exclusive service has/);
});

test.each([
  ["{config.host}", /host/],
  ["{config.empty}", /empty/],
  ["{config.constructor}", /constructor/],
  ["{confg.port}", /confg\.port/],
  ["{port", /not closed/],
  ["{}", /not known/],
])("%j is refused, naming what is missing", (template, message) => {
  expect(() => fill(template, values)).toThrow(
    expect.objectContaining({
      code: "HAL_SCHEMA_VIOLATION",
      message: expect.stringMatching(message),
    }),
  );
});

test("what is filled in is not filled again", () => {
  expect(fill("{config.x}", { ...values, config: { x: "{instance} $& {{" } })).toBe(
    "{instance} $& {{",
  );
});

describe("groups of a pattern", () => {
  test("come before the other names", () => {
    expect(fill("{node}/{config.port}", { ...values, groups: { node: "n" } })).toBe("n/8080");
  });

  test("that did not take part are refused", () => {
    expect(() => fill("{port}", { ...values, groups: { port: undefined } })).toThrow(/port/);
  });
});

test("a port is a whole number of 1 to 65535", () => {
  expect(fillPort("{config.port}", values)).toBe(8080);
  for (const wrong of ["0", "65536", "8080x", "", "-1", "1e3"]) {
    expect(() => fillPort(wrong, values)).toThrow(/expected a port/);
  }
});
