import type { CommandAction, InternalPart } from "@halon/protocol";
import { expect, test } from "vitest";
import { type PartAnswers, Parts } from "./parts.ts";

function setUp() {
  const told: { type: string; data: unknown }[] = [];
  const parts = new Parts({
    node: "node-1",
    incarnation: 7,
    emit: (type, data) => told.push({ type, data }),
  });
  let state: ReturnType<PartAnswers["check"]> = { state: "running", health: "ok" };
  const answers = { check: () => state, status: () => ({ term: 3 }) };
  const ask = (type: "CheckService" | "ReportStatus" | "StopService", instance: string): boolean =>
    parts.perform(
      {
        type,
        service: instance.slice(0, instance.indexOf("@")),
        instance,
        ...(type === "StopService" ? { reason: "" } : {}),
      } as CommandAction,
      "1.1",
    );
  return {
    parts,
    told,
    answers,
    ask,
    become(next: typeof state) {
      state = next;
    },
  };
}

test("a part is told of when it starts, and again only when it is otherwise than before", () => {
  const { parts, told, answers, become } = setUp();
  parts.begin("halon-agency", answers);
  parts.look();
  expect(told).toHaveLength(1);
  become({ state: "degraded", health: "warn", detail: "no leader" });
  parts.look();
  parts.look();
  expect(told.map(({ data }) => (data as { part: InternalPart }).part.state)).toEqual([
    "running",
    "degraded",
  ]);
});

test("what a part says of each moment is in its answer to a Check, and not told whenever it changes", () => {
  const { parts, told, answers, ask, become } = setUp();
  become({ state: "running", health: "ok", detail: "2 files", answer: "2 files; 1 event waits" });
  parts.begin("halon-processor", answers);
  become({ state: "running", health: "ok", detail: "2 files", answer: "2 files; 9 events wait" });
  parts.look();
  expect(told).toMatchObject([{ data: { part: { detail: "2 files" } } }]);
  ask("CheckService", "halon-processor@node-1#7001");
  expect(told.at(-1)).toMatchObject({ data: { detail: "2 files; 9 events wait" } });
});

test("each start of a part has a number of its own, above those of earlier starts of the node", () => {
  const { parts, answers, ask, told } = setUp();
  parts.begin("halon-agency", answers);
  parts.begin("halon-agency", answers);
  expect(parts.inventory()).toMatchObject([{ part: "halon-agency", start: 2 }]);
  expect(ask("CheckService", "halon-agency@node-1#7002")).toBe(true);
  expect(told.at(-1)).toMatchObject({
    type: "ServiceChecked",
    data: { health: "ok", command: "1.1" },
  });
});

test("it reports its status, and refuses what else is asked of it, or of an earlier start", async () => {
  const { parts, answers, ask, told } = setUp();
  parts.begin("halon-agency", answers);
  ask("ReportStatus", "halon-agency@node-1#7001");
  await Promise.resolve();
  expect(told.at(-1)).toMatchObject({ type: "ServiceReported", data: { report: { term: 3 } } });
  ask("StopService", "halon-agency@node-1#7001");
  expect(told.at(-1)).toMatchObject({ type: "CommandRefused", data: { code: "HAL_CONFLICT" } });
  ask("CheckService", "halon-agency@node-1#6001");
  expect(told.at(-1)).toMatchObject({ type: "CommandRefused" });
});

test("a command for a service is none for a part", () => {
  const { parts, answers, ask } = setUp();
  parts.begin("halon-agency", answers);
  expect(ask("CheckService", "web@node-1#1")).toBe(false);
});
