import { expect, test } from "vitest";
import { files, read } from "./repository.ts";

const sources = files("packages/*/src/*.ts", "packages/*/src/**/*.ts").filter(
  (path) => !path.endsWith(".test.ts"),
);

test("there are sources to look at", () => {
  expect(sources.length).toBeGreaterThan(20);
});

test("no source file is over 400 lines", () => {
  expect(sources.filter((path) => read(path).split("\n").length - 1 > 400)).toEqual([]);
});

test("no test is skipped, focused or left to do", () => {
  const tests = files("*.test.ts").filter((path) => path !== "test/docs/style.test.ts");
  const marked = tests.filter((path) =>
    /\b(?:test|it|describe)\.(?:skip|only|todo)\b/.test(read(path)),
  );
  expect(marked).toEqual([]);
});
