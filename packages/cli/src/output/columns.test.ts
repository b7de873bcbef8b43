import type { EventEntry } from "@halon/protocol";
import { expect, test } from "vitest";
import { eventColumns } from "./columns.ts";

function story(data: EventEntry["data"], more: Partial<EventEntry> = {}) {
  const entry = { type: "Told", data, rules: [], ...more } as unknown as EventEntry;
  return eventColumns.find(({ title }) => title === "WHAT CAME OF IT")?.value(entry);
}

test.each([
  {
    what: "how a job ended",
    data: { rule: "ladder/recover", key: "web@node-1", outcome: "failed" },
    told: "ladder/recover web@node-1: failed",
  },
  {
    what: "which rule threw",
    data: { rule: "slow/note", reason: "Error: no" },
    told: "slow/note: Error: no",
  },
  {
    what: "how a run ended",
    data: {
      node: "node-1",
      name: "clean",
      outcome: "failed",
      asked: { rule: "r/r" },
      reason: "exit code 3",
    },
    told: "node-1: failed; exit code 3",
  },
  { what: "nothing of a key without a rule", data: { key: "k", outcome: "done" }, told: "" },
])("the event list says $what", ({ data, told }) => {
  expect(story(data)).toBe(told);
});

test("the event list says for which rule file an event is kept", () => {
  expect(story({ node: "node-3" }, { kept: "slow" })).toBe("node-3: kept for the rule file slow");
});
