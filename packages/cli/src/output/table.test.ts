import { expect, test } from "vitest";
import { type Column, clip, table, wrapped } from "./table.ts";

interface Row {
  readonly name: string;
  readonly pid: number | undefined;
  readonly reason: string;
}

const columns: readonly Column<Row>[] = [
  { title: "SERVICE", value: (row) => row.name },
  { title: "OS PID", value: (row) => row.pid },
  { title: "TYPE", value: () => "t", isWide: true },
  { title: "REASON", value: (row) => row.reason, canShrink: true },
];
const rows = [
  { name: "web", pid: 4711, reason: "x".repeat(200) },
  { name: "a-longer-name", pid: undefined, reason: "" },
];

test("a table fits the terminal: a reason is cut and says so", () => {
  const lines = table(columns, rows, { columns: 80, isWide: false }).split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBe(80);
  expect(lines[1]).toMatch(/^web {12} {2}4711 {2}x+…$/);
});

test("wide shows all columns and all of them in full", () => {
  const text = table(columns, rows, { columns: 80, isWide: true });
  expect(text).toContain("x".repeat(200));
  expect(text).toContain("TYPE");
});

test("numbers stand right, and lines have no spaces at their end", () => {
  const text = table(columns, rows, { columns: 80, isWide: false });
  expect(text.split("\n")[2]).toBe("a-longer-name");
  expect(text).not.toMatch(/ \n/);
});

test("a text of a service cannot move the cursor or add a line", () => {
  const evil = [{ name: "a\n\u001b[2Jb", pid: 1, reason: "" }];
  expect(table(columns, evil, { columns: 80, isWide: false })).toMatch(/^a \[2Jb/m);
});

test("clip keeps what fits", () => {
  expect([clip("abc", 3), clip("abcd", 3), clip("ab", 0)]).toEqual(["abc", "ab…", "…"]);
});

test("a long sentence goes on in the next line, and none is wider than the terminal", () => {
  const lines = wrapped(`${"word ".repeat(40)}end`, 80)
    .trimEnd()
    .split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines[0]).toMatch(/^ {2}word/);
  expect(lines.slice(1).every((line) => /^ {4}\S/.test(line))).toBe(true);
  expect(lines.join(" ").replace(/\s+/g, " ").trim()).toBe(`${"word ".repeat(40)}end`);
});
