import type { ClusterPlan } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import { expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { showDiff, showPlan } from "./plan.ts";
import { createPrinter, type Format } from "./print.ts";

const { ports } = memoryPorts();
const planned = await ports.plan({ spec: {} as never, code: new Map() }, 1_000);
const plan: ClusterPlan = {
  changes: [
    {
      action: "change",
      what: "deployment",
      name: "web",
      detail: "replicas 2 becomes 3, another configuration",
      differences: ["replicas 2 becomes 3", "another configuration"],
    },
    {
      action: "add",
      what: "rule file",
      name: "disks",
      detail: "rules soon, often; events DiskError",
      rules: [
        { action: "add", rule: "soon" },
        { action: "add", rule: "often", pattern: "count, at least 3 within 10m" },
      ],
    },
  ],
  actions: {
    ...planned,
    failures: [{ file: "other", reason: `it ${"does ".repeat(30)}not load` }],
    cut: "what follows 2 commands depends on their outcome",
  },
};

function shown(show: typeof showPlan, value: ClusterPlan, format: Format = "table") {
  const { io, written } = memoryIo();
  const print = createPrinter(io, { format, isQuiet: false, hasColor: false });
  show({ print, columns: io.columns }, value);
  return written;
}

function widest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

test("a plan has its changes, rules, resources, commands and events in groups of 80 columns", () => {
  const { out } = shown(showPlan, plan);
  const titles = [
    "Changes",
    "Rules that would act",
    "Resources that would change",
    "Commands that would be sent",
    "Events that rules would publish",
    "Rule files that could not take part",
  ];
  expect(titles.map((title) => out.indexOf(`${title}\n`))).toEqual(
    titles.map((title) => out.indexOf(`${title}\n`)).toSorted((a, b) => a - b),
  );
  for (const part of [
    ...titles,
    "disks/often",
    "count, at least 3 within 10m",
    "web@node-1#2",
    "… and 3 more",
    "Not all of it: what follows 2 commands",
  ])
    expect(out).toContain(part);
  expect(widest(out)).toBeLessThanOrEqual(80);
});

test("a plan of nothing says so, and for programs is all there is", () => {
  expect(shown(showPlan, { changes: [] })).toEqual({ out: "", err: "nothing would change\n" });
  expect(JSON.parse(shown(showPlan, plan, "json").out)).toEqual(plan);
  expect(shown(showPlan, plan, "name").out).toBe("deployment/web\nrule file/disks\n");
});

test("a difference has a line for each of its parts", () => {
  const { out } = shown(showDiff, plan);
  expect(out.split("\n").map((line) => line.trim())).toEqual([
    "~ deployment web",
    "replicas 2 becomes 3",
    "another configuration",
    "+ rule file disks",
    "rules soon, often; events DiskError",
    "+ soon",
    "+ often: count, at least 3 within 10m",
    "",
  ]);
});
