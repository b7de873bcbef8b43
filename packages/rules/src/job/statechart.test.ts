import { defineEvent, events } from "@halon/protocol";
import { expect, test } from "vitest";
import { setup } from "xstate";
import { z } from "zod";
import { indexRules } from "../compiled.ts";
import { defineRules } from "../define-rules.ts";
import { by, effect, type JobEvent, type JobRequest, statechart } from "./statechart.ts";

const DiskFailed = defineEvent({
  type: "DiskFailed",
  schema: z.strictObject({ disk: z.string(), sectors: z.number() }),
});
const DiskSwapped = defineEvent({
  type: "DiskSwapped",
  schema: z.strictObject({ disk: z.string() }),
});

const machine = setup({
  types: {
    context: {} as { disk: string },
    input: {} as JobEvent<typeof DiskFailed>,
    events: {} as JobEvent<typeof DiskFailed | typeof DiskSwapped>,
  },
  actions: { order: effect, tell: (_, _params: { text: string }) => effect() },
}).createMachine({
  context: ({ input }) => ({ disk: input.data.disk }),
  initial: "waiting",
  states: {
    waiting: { entry: "order", on: { DiskSwapped: "done" }, after: { 1000: "done" } },
    done: { type: "final" },
  },
});

const on = [by(DiskFailed, (e) => e.disk), by(DiskSwapped, (e) => e.disk)] as const;
const starts = [DiskFailed];
const effects = { order: effect };

test("key functions, effects and the machine are typed by the events; what does not fit does not compile", () => {
  statechart({
    on,
    starts,
    machine,
    effects: {
      order: ({ context, event, command, publish, job, key }) => {
        const disk: string = context.disk;
        if (event.type === "DiskFailed") disk.slice(event.data.sectors);
        // @ts-expect-error The event has no such field.
        if (event.type === "DiskFailed") disk.slice(event.data.rpm);
        // @ts-expect-error The context has no such field.
        disk.slice(context.rpm);
        command.restart("web", { on: key });
        publish(DiskSwapped, { disk });
        job.cancel("replace", key, "done");
      },
      tell: ({ params }) => params.text.length,
      // @ts-expect-error The machine has no such action.
      shout: () => undefined,
    },
  });
  // @ts-expect-error The event has no such field.
  by(DiskFailed, (e) => e.rpm);
  statechart({
    on: [...on, by(events.NodeJoined, (e) => e.node)],
    starts,
    // @ts-expect-error The machine does not declare NodeJoined.
    machine,
    effects,
  });
  statechart({
    on,
    starts,
    // @ts-expect-error The machine's input is not that of a request.
    machine,
    effects,
    requests: { schema: z.string(), by: (disk) => disk },
  });
  const asked = {} as JobRequest<{ readonly disk: string }>;
  expect(asked.data?.disk).toBeUndefined();
});

test("a rule that nothing begins, or that begins with what it does not hear, is refused", () => {
  expect(() => statechart({ on, machine, effects })).toThrow("nothing begins a job");
  expect(() =>
    statechart({ on: [by(DiskSwapped, (e) => e.disk)], starts, machine, effects }),
  ).toThrow("DiskFailed is not in `on`");
  expect(() => statechart({ on, starts, machine, effects, deadline: "soon" })).toThrow("deadline");
});

test("a rule file declares the events that its jobs hear, and checks its machines", () => {
  const replace = statechart({ on, starts, machine, effects });
  expect(defineRules({ replace }).events.map(({ type }) => type)).toEqual([
    "DiskFailed",
    "DiskSwapped",
  ]);
  const mute = statechart({ on, starts, machine });
  expect(() => defineRules({ mute })).toThrow("rule mute: the state waiting has the action order");
  expect(() => defineRules({ "a/b": replace })).toThrow("rule a/b");
});

test("jobs hear an event in the order of the priority of their rules", () => {
  const late = statechart({ on, starts, machine, effects, priority: -5 });
  const early = statechart({ on, starts, machine, effects, priority: 5 });
  const { byEvent } = indexRules([{ name: "file", rules: defineRules({ late, early }) }]);
  const order = byEvent.get("DiskFailed")?.map(({ compiled }) => compiled.id);
  expect(order).toEqual(["file/early", "file/late"]);
  expect(() => statechart({ on, starts, machine, effects, priority: 1_001 })).toThrow(RangeError);
});
