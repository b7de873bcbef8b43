import type { PlanEntry, RuleEntry } from "@halon/api";
import type { ClusterStatus, EventEntry } from "@halon/protocol";
import { z } from "zod";
import { ageOf, type Printer } from "./print.ts";
import type { Column } from "./table.ts";

export type NodeRow = ClusterStatus["nodes"][number];
export type ServiceRow = ClusterStatus["services"][number];

export function nodeColumns(colors: Printer["colors"], now: number): readonly Column<NodeRow>[] {
  return [
    { title: "NODE", value: (node) => node.name },
    { title: "ADDRESS", value: (node) => node.address },
    { title: "ROLE", value: (node) => node.role },
    {
      title: "STATE",
      value: (node) => node.state,
      color: (node) => colorOf(colors, node.state),
    },
    { title: "SINCE", value: (node) => ageOf(node.since, now) },
    {
      title: "LABELS",
      value: (node) =>
        Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
      isWide: true,
    },
    { title: "RECOVERY", value: (node) => node.recovery ?? "", isWide: true },
    { title: "REASON", value: (node) => node.reason ?? "", canShrink: true },
  ];
}

export function serviceColumns(
  colors: Printer["colors"],
  now: number,
): readonly Column<ServiceRow>[] {
  return [
    { title: "SERVICE", value: (row) => row.service, canShrink: true },
    { title: "NODE", value: (row) => row.node, canShrink: true },
    { title: "STATE", value: (row) => row.state, color: (row) => colorOf(colors, row.state) },
    { title: "HEALTH", value: (row) => row.health, color: (row) => colorOf(colors, row.health) },
    { title: "INCARNATION", value: shownIncarnation },
    { title: "OS PID", value: (row) => row.osPid },
    { title: "RESTARTS", value: (row) => row.restarts, isWide: true },
    { title: "SINCE", value: (row) => ageOf(row.since, now), isWide: true },
    { title: "TYPE", value: (row) => row.type, isWide: true },
    { title: "VERSION", value: (row) => row.version, isWide: true },
    { title: "INSTANCE", value: (row) => row.instance, isWide: true },
    { title: "REASON", value: (row) => row.reason ?? "", canShrink: true },
  ];
}

/** A service whose name begins so is a part of Halon itself. */
const partPrefix = "halon-";

/** Whether the row is of a part of Halon, and not of a service that somebody deployed. */
export function isPart({ service }: ServiceRow): boolean {
  return service.startsWith(partPrefix);
}

const startsOfNode = 1_000;

/** Of a part the start within its node's own: the whole number begins with the incarnation of the node. */
function shownIncarnation(row: ServiceRow): number {
  return isPart(row) ? row.incarnation % startsOfNode : row.incarnation;
}

export const eventColumns: readonly Column<EventEntry>[] = [
  { title: "INDEX", value: (entry) => `${entry.index}.${entry.position}` },
  { title: "TIME", value: (entry) => entry.time.slice(11, 23) },
  { title: "TYPE", value: (entry) => entry.type },
  { title: "SOURCE", value: (entry) => entry.source, isWide: true },
  { title: "ID", value: (entry) => entry.id, isWide: true },
  { title: "DATA", value: (entry) => JSON.stringify(entry.data), isWide: true },
  {
    title: "RULES",
    value: (entry) => entry.rules.map(({ rule }) => rule).join(" "),
    isWide: true,
  },
  { title: "WHAT CAME OF IT", value: story, canShrink: true },
];

const Subject = z.looseObject({
  instance: z.string().optional(),
  node: z.string().optional(),
  service: z.string().optional(),
  operation: z.string().optional(),
  /** Of a job: its rule and key. */
  rule: z.string().optional(),
  key: z.string().optional(),
  outcome: z.string().optional(),
  /** Of the end of a run or call: the rule that asked for it. */
  asked: z.looseObject({}).optional(),
  reason: z.string().optional(),
});

/** Whom it is about, what that says of it, and what the rules say that they did. */
function story(entry: EventEntry): string {
  const subject = Subject.safeParse(entry.data).data ?? {};
  const { instance, node, service, operation, rule, key, outcome, asked, reason } = subject;
  const whys = entry.rules.map(({ why }) => why).filter((why) => why !== `on ${entry.type}`);
  const kept = entry.kept === undefined ? undefined : `kept for the rule file ${entry.kept}`;
  const said = [
    (rule ?? asked) === undefined ? undefined : outcome,
    reason,
    kept,
    entry.dead,
    ...whys,
  ]
    .filter((text) => text !== undefined)
    .join("; ");
  const job = rule === undefined || key === undefined ? rule : `${rule} ${key}`;
  const whom = instance ?? service ?? node ?? operation ?? job;
  if (whom === undefined || said.startsWith(whom)) return said;
  return said === "" ? whom : `${whom}: ${said}`;
}

export const ruleColumns: readonly Column<RuleEntry>[] = [
  { title: "RULE", value: (rule) => rule.rule },
  { title: "FILE", value: (rule) => rule.file },
  { title: "STATE", value: (rule) => rule.state },
  { title: "BLOB", value: (rule) => rule.blob ?? "", isWide: true },
];

/** With those of them that run on nodes: how far each has come. */
export const nodeRuleColumns: readonly Column<RuleEntry>[] = [
  ...ruleColumns,
  { title: "RUNS", value: runsText },
];

function runsText({ runs, loadedOn = 0, nodes = 0 }: RuleEntry): string {
  return runs === undefined ? "" : `node (${loadedOn} of ${nodes})`;
}

/** A line of a plan: an entry of it, or a rule of a rule file. */
export interface PlanRow extends Pick<PlanEntry, "action" | "name" | "detail"> {
  readonly what: string;
}

export const planColumns: readonly Column<PlanRow>[] = [
  { title: "ACTION", value: (entry) => entry.action },
  { title: "WHAT", value: (entry) => entry.what },
  { title: "NAME", value: (entry) => entry.name },
  { title: "DETAIL", value: (entry) => entry.detail, canShrink: true },
];

/** Red waits for a person or is down, yellow is on its way, green is well. */
export function colorOf(colors: Printer["colors"], state: string): (text: string) => string {
  if (["running", "up", "ok", "healthy", "done"].includes(state)) return colors.green;
  if (["failed", "broken", "down", "fail", "unavailable"].includes(state)) return colors.red;
  if (["stopped"].includes(state)) return colors.dim;
  return colors.yellow;
}
