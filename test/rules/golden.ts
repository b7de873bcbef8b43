import { type Command, canonicalJson, type EventEnvelope, type Json } from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { fold } from "../../packages/coordinator/src/core/fold.ts";
import { encodeSnapshot } from "../../packages/coordinator/src/core/snapshot.ts";
import { emptyState } from "../../packages/coordinator/src/core/state.ts";
import { type Setting, Stage, type Step } from "./stage.ts";

/** What a scenario says of what was decided since the last `watch`; what it leaves out is not looked at. */
export interface Expected {
  /** Rules of the file that the table is of which did something, in order, with spaces between them. */
  readonly fires?: string;
  /** All commands, in order: `StartService web@a#2, StopService web@b#1`. */
  readonly commands?: string;
  /** Events that rules published, in order: `ServiceBroken web@a, JobEnded a done`. No ends of operations. */
  readonly tells?: string;
  /** What a part of the graph is: `web@a#1`, `web@a`, `a`, `breaker`, `operation`, `alert KEY`. */
  readonly is?: Readonly<Record<string, string>>;
  /** What the last of the rules that fired says, or part of it. */
  readonly why?: string;
  /** How often a rule of any file threw. */
  readonly throws?: number;
}

/** A scenario: its rule, what happens, what is decided. */
export type Row = readonly [name: string, steps: readonly Step[], expected: Expected];

export interface Table extends Setting {
  /** The file whose rules `fires` names. Default: the built-in rules. */
  readonly of?: string;
}

/** Makes a test of each row. */
export function golden(topic: string, table: Table, rows: readonly Row[]): void {
  describe(topic, () => {
    for (const [name, steps, expected] of rows) test(name, () => run(table, steps, expected));
  });
}

function run(table: Table, steps: readonly Step[], expected: Expected): void {
  const stage = new Stage(table);
  stage.play(steps);
  const seen: { -readonly [K in keyof Expected]: Expected[K] } = {};
  const fired = firedOf(stage, table.of ?? "builtin");
  if (expected.fires !== undefined) seen.fires = fired.map(({ name }) => name).join(" ");
  if (expected.commands !== undefined) seen.commands = stage.commands.map(commandText).join(", ");
  if (expected.tells !== undefined)
    seen.tells = stage.published
      .filter((event) => !isLeftOut(event))
      .map(eventText)
      .join(", ");
  if (expected.is !== undefined)
    seen.is = Object.fromEntries(
      Object.keys(expected.is).map((what) => [what, look(stage, what, table)]),
    );
  if (expected.why !== undefined)
    seen.why = fired.at(-1)?.why.includes(expected.why) ? expected.why : (fired.at(-1)?.why ?? "");
  const thrown = stage.failures.map(({ data }) => (data as { readonly reason: string }).reason);
  if (thrown.length !== (expected.throws ?? 0))
    throw new Error(`rules threw: ${thrown.join("; ")}`);
  const { throws: _, ...said } = expected;
  expect(seen).toEqual(said);
  expectEqualFold(stage);
}

/** Operations end all the time; alerts of built-in rules say what another event beside them does. */
function isLeftOut({ type, data }: EventEnvelope): boolean {
  const { alert } = data as { readonly alert?: unknown };
  return type === "OperationEnded" || String(alert).startsWith("builtin/");
}

/** Who follows the log has the state of who decided. */
function expectEqualFold({ cluster }: Stage): void {
  const follower = emptyState();
  for (const record of cluster.records) fold(follower, JSON.parse(canonicalJson(record)));
  expect(encodeSnapshot(follower)).toBe(encodeSnapshot(cluster.state));
}

function firedOf({ firings }: Stage, file: string) {
  return firings
    .filter(({ rule }) => rule.startsWith(`${file}/`))
    .filter(({ changes, memory, timers, commands, cancelled, published }) =>
      [changes, memory, timers, commands, cancelled, published].some(({ length }) => length > 0),
    )
    .map(({ rule, why }) => ({ name: rule.slice(file.length + 1), why }));
}

function commandText({ node, action }: Command): string {
  if (action.type === "RunProgram")
    return `${node} runs ${[action.name, ...action.args].join(" ")}`;
  return `${action.type} ${action.instance}`;
}

/** The event and what it is about. */
export function eventText({ type, data }: Pick<EventEnvelope, "type" | "data">): string {
  const about = data as Readonly<Record<string, Json>>;
  if (about["alert"] !== undefined)
    return [type, about["key"], ...(type === "AlertRaised" ? [about["severity"]] : [])].join(" ");
  const place =
    about["service"] === undefined
      ? (about["node"] ?? about["file"])
      : [about["service"], about["node"] ?? about["on"]].filter((each) => each !== undefined);
  const where = Array.isArray(place) ? place.join("@") : place;
  const way = about["to"] === undefined ? [] : [`${about["from"]}>${about["to"]}`];
  const job =
    about["outcome"] === undefined ? [] : [about["key"] ?? about["name"], about["outcome"]];
  const says = about["says"] === undefined ? [] : [about["says"]];
  return [type, ...(where === undefined ? [] : [where]), ...way, ...job, ...says].join(" ");
}

function look({ cluster }: Stage, what: string, { of = "builtin" }: Table): string {
  const { graph } = cluster.state;
  if (what.startsWith("alert "))
    return graph.get("Alert", `${of}/${what.slice(6)}`)?.attributes.severity ?? "none";
  if (what === "breaker")
    return graph.list("Cluster")[0]?.attributes.breaker === undefined ? "closed" : "tripped";
  if (what === "operation") {
    const [latest] = graph
      .list("Operation")
      .toSorted((a, b) => b.attributes.order - a.attributes.order);
    return latest?.attributes.state ?? "none";
  }
  if (what.includes("#")) return graph.get("ServiceInstance", what)?.attributes.state ?? "gone";
  if (what.includes("@")) return slotText(cluster.state.graph, what);
  const node = graph.get("Node", what)?.attributes;
  return node === undefined
    ? "unknown"
    : [node.state, ...(node.mode === undefined ? [] : [node.mode])].join(" ");
}

function slotText(graph: Stage["cluster"]["state"]["graph"], slot: string): string {
  const place = graph.get("ServiceName", slot)?.attributes;
  const isWanted = graph.out(`ServiceName/${slot}`, "wants", "Service").length > 0;
  if (!isWanted) return "unwanted";
  if (place?.broken !== undefined) return "broken";
  return place?.halted === true ? "halted" : "wanted";
}
