import { expect, test } from "vitest";
import { decodeConfiguration, encodeConfiguration, isMemberText } from "./configuration-codec.ts";
import { configurationOf } from "./testing.ts";

const bytesOf = (text: string) => Uint8Array.from([...text].map((each) => each.charCodeAt(0)));

const joint = {
  ...configurationOf(["a", "b", "c"], ["d"]),
  voters: ["a", "b"],
  outgoing: ["a", "c"],
};

test.each([configurationOf(["a"]), configurationOf(["a", "b"], ["c"]), configurationOf([]), joint])(
  "what is decoded is what was encoded: %j",
  (configuration) => {
    expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration);
  },
);

const a = `{"address":"a:1","id":"a"}`;
const b = `{"address":"b:1","id":"b"}`;
const text = (members: string, voters: string, learners = "[]") =>
  `{"learners":${learners},"members":[${members}],"outgoing":[],"voters":${voters}}`;

test("the encoding is canonical JSON", () => {
  expect(decodeConfiguration(bytesOf(text(`${a},${b}`, `["a","b"]`)))).toEqual(
    configurationOf(["a", "b"]),
  );
});

test.each([
  { name: "no JSON", bytes: "{" },
  { name: "white space", bytes: `${text(a, `["a"]`)} ` },
  { name: "a voter that is no member", bytes: text(a, `["a","b"]`) },
  { name: "a member without a part", bytes: text(`${a},${b}`, `["a"]`) },
  { name: "members out of order", bytes: text(`${b},${a}`, `["a","b"]`) },
  { name: "voters out of order", bytes: text(`${a},${b}`, `["b","a"]`) },
  { name: "a voter twice", bytes: text(a, `["a","a"]`) },
  { name: "a voter that learns", bytes: text(a, `["a"]`, `["a"]`) },
  { name: "an unknown field", bytes: `{"a":1,${text(a, `["a"]`).slice(1)}` },
  { name: "an id that is no text", bytes: text(`{"address":"a:1","id":1}`, "[1]") },
])("$name is no configuration", ({ bytes }) => {
  expect(decodeConfiguration(bytesOf(bytes))).toBe(null);
});

test.each([
  ["AGNT-1f", true],
  ["127.0.0.1:8531", true],
  ["[::1]:8531", true],
  ["", false],
  ["a b", false],
  ["ä", false],
  ["a\n", false],
  ["x".repeat(255), true],
  ["x".repeat(256), false],
])("whether %j can name a member: %s", (value, expected) => {
  expect(isMemberText(value)).toBe(expected);
});

test("an id that cannot be written is not", () => {
  expect(() => encodeConfiguration(configurationOf(["ä"]))).toThrow("a member ä");
});
