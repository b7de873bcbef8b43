import { expect, test } from "vitest";
import type { JsonObject } from "./json.ts";
import { isSecretReference, secretKeyword, secretProblem } from "./secret.ts";

const secret = { type: "object", [secretKeyword]: true };
const of = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: "object",
  properties,
  ...more,
});
const hidden = { $secret: "file:/etc/key" };
const value = "hunter2";

test.each([
  ["a field", of({ password: secret }), { password: value }, "config.password"],
  ["a number", of({ password: secret }), { password: 12 }, "config.password"],
  [
    "a field further down",
    of({ db: of({ key: secret }) }),
    { db: { key: value } },
    "config.db.key",
  ],
  [
    "a member of a list",
    of({ keys: { items: secret } }),
    { keys: [hidden, value] },
    "config.keys.1",
  ],
  [
    "a member of a tuple",
    of({ two: { prefixItems: [{}, secret] } }),
    { two: ["a", value] },
    "config.two.1",
  ],
  [
    "any member of a record",
    of({ env: { additionalProperties: secret } }),
    { env: { A: value } },
    "config.env.A",
  ],
  ["a choice", of({ key: { anyOf: [secret, { type: "null" }] } }), { key: value }, "config.key"],
  [
    "a shared definition",
    of({ key: { $ref: "#/$defs/key" } }, { $defs: { key: secret } }),
    { key: value },
    "config.key",
  ],
  [
    "one that only looks like a reference",
    of({ key: secret }),
    { key: { $secret: value } },
    "config.key",
  ],
])("%s that holds a value is refused by its path, without the value", (_, schema, config, path) => {
  const problem = secretProblem(schema, config as JsonObject);
  expect(problem).toContain(`${path} is a secret`);
  expect(problem).not.toContain(value);
});

test.each([
  ["references", of({ key: secret }), { key: hidden }],
  ["an absent field", of({ key: secret }), {}],
  [
    "null where the schema allows it",
    of({ key: { anyOf: [secret, { type: "null" }] } }),
    { key: null },
  ],
  ["fields that are no secrets", of({ key: secret, user: {} }), { key: hidden, user: value }],
  [
    "known fields beside secret further ones",
    of({ user: {} }, { additionalProperties: secret }),
    { user: value },
  ],
])("%s are taken", (_, schema, config) => {
  expect(secretProblem(schema, config as JsonObject)).toBeUndefined();
});

test("a schema that refers to itself ends", () => {
  const schema: JsonObject = { $ref: "#", properties: { key: secret, below: { $ref: "#" } } };
  expect(secretProblem({ $ref: "#" }, { key: value })).toBeDefined();
  expect(secretProblem(schema, { below: { key: value } })).toBeDefined();
});

test.each(["file:/etc/key", "env:DB_PASSWORD"])("%s is a reference", ($secret) => {
  expect(isSecretReference({ $secret })).toBe(true);
});

test.each(["file:relative", "env:1A", "env:A-B", "file:/a\0b", value])("%j is none", ($secret) => {
  expect(isSecretReference({ $secret })).toBe(false);
});

test("a reference has no further fields", () => {
  expect(isSecretReference({ ...hidden, also: 1 })).toBe(false);
});
