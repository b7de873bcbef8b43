import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { CommandAction, commandAnswers } from "./command.ts";
import { errorCodes } from "./error-code.ts";
import { builtInEvents } from "./event.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** The rows of the first table below a heading, cells trimmed and without backticks. */
function tableBelow(heading: string): string[][] {
  const [, section = ""] = readme.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return own
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.slice(1, -1).split("|"))
    .map((cells) => cells.map((cell) => cell.replaceAll("`", "").trim()));
}

/** `command?` is a field that may be absent. */
function fieldsOf(schema: unknown): string {
  if (!(schema instanceof z.ZodObject)) throw new TypeError("expected the schema of an object");
  return Object.entries(schema.shape)
    .filter(([name]) => name !== "type")
    .map(([name, field]) => `${name}${z.safeParse(field, undefined).success ? "?" : ""}`)
    .join(" ");
}

test("the table of events is that of the code, in its order", () => {
  expect(tableBelow("Events")).toEqual(
    Object.values(builtInEvents).map((event) => [
      event.type,
      String(event.version),
      fieldsOf(event.schema),
      event.sentBy,
    ]),
  );
});

test("the table of commands is that of the code, in its order", () => {
  expect(tableBelow("Commands")).toEqual(
    CommandAction.options.map((option) => {
      const type = option.shape.type.value;
      return [type, fieldsOf(option), commandAnswers[type].join(" ")];
    }),
  );
});

test("the table of error codes is that of the code, in its order", () => {
  expect(tableBelow("Error codes")).toEqual(
    Object.entries(errorCodes).map(([code, { http, exit, meaning }]) => [
      code,
      String(http),
      String(exit),
      meaning,
    ]),
  );
});

test("every event is found by its own type", () => {
  for (const [key, event] of Object.entries(builtInEvents)) expect(event.type).toBe(key);
});

test("every answer to a command is an event that can name the command", () => {
  for (const answer of new Set(Object.values(commandAnswers).flat())) {
    const event = Object.values(builtInEvents).find((each) => each.type === answer);
    expect(fieldsOf(event?.schema), answer).toMatch(/\bcommand\b/);
  }
});
