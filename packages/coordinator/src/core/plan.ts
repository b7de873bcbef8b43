import {
  type Change,
  type ClusterSpec,
  type Command,
  canonicalJson,
  compareText,
  type DecisionRecord,
  events,
  type Json,
  type JsonObject,
  type PlannedActions,
} from "@halon/protocol";
import type { Input } from "./intake.ts";
import { ruleFilesKey } from "./rule-files.ts";
import type { CoordinatorState } from "./state.ts";
import { type RuleSet, type Stamp, step } from "./step.ts";

/** Items of one kind that the outcome names. */
const itemsMax = 100;
/** Records that are decided after that of the cluster file. */
const roundsMax = 16;
/** Events of one record. */
const answersMax = 512;
/** The operation and the event of the plan; no other has this id. */
const operation = "plan";

const built = "builtin/";

/**
 * Decides what a cluster file would lead to, on a state that is its own and is thrown away.
 *
 * The record of the cluster file is decided by the rules in force, those after it by the rules that the file brings. Nodes that are up
 * answer at once that they did what they were told, so the rules on that are seen too. Log time stands still: what waits for
 * a time is not part of it.
 */
export class Plan {
  readonly #state: CoordinatorState;
  readonly #records: DecisionRecord[] = [];
  readonly #stamp: Stamp;
  /** Commands that nodes have not answered. */
  #waiting: readonly Command[] = [];
  #left = 0;
  #rounds = 0;
  #rulesKey: string;

  constructor(state: CoordinatorState) {
    this.#state = state;
    this.#rulesKey = ruleFilesKey(state.graph);
    this.#stamp = { epoch: state.epoch, logTime: state.logTime, wallTime: 0 };
  }

  /** Where the rules are to be loaded from. */
  get graph(): CoordinatorState["graph"] {
    return this.#state.graph;
  }

  /** Decides the cluster file; why it is refused, or null. */
  apply(rules: RuleSet, spec: ClusterSpec): string | null {
    const data = { operation, spec } as unknown as Json;
    const event = { type: events.ClusterApplied.type, version: 1, data };
    const [reply] = this.#step(rules, [{ type: "client", id: operation, event }]);
    if (reply?.type === "refused") return reply.error.message;
    const ended = this.graph.get("Operation", operation)?.attributes;
    return ended?.state === "failed" ? (ended.reason ?? "for no reason that is known") : null;
  }

  /** Whether the files in force are others than they were when this was asked last. */
  hasOtherRules(): boolean {
    const before = this.#rulesKey;
    this.#rulesKey = ruleFilesKey(this.graph);
    return this.#rulesKey !== before;
  }

  /** Decides what follows next; false: nothing does, or it is cut. */
  goOn(rules: RuleSet): boolean {
    if (this.#rounds >= roundsMax) return false;
    this.#rounds += 1;
    const answers = answersTo(this.#state, this.#waiting.slice(0, answersMax));
    this.#waiting = this.#waiting.slice(answersMax);
    const before = this.#state.index;
    this.#step(rules, answers);
    return this.#state.index !== before;
  }

  /** What was decided so far. `ended`: why no more was. */
  outcome(failures: PlannedActions["failures"], ended: string | null): PlannedActions {
    const decisions = this.#records.flatMap((record) => record.decisions);
    const firings = decisions.flatMap((decision) => decision.firings);
    const rounds =
      this.#rounds >= roundsMax ? `only the first ${roundsMax} steps were decided` : null;
    const silent =
      this.#left > 0 ? `what follows ${this.#left} commands depends on their outcome` : null;
    const cut = ended ?? rounds ?? silent;
    return {
      rules: counted(firings.map(({ rule, why }) => ({ key: rule, item: { rule, why } }))),
      resources: firstOf(resourcesOf(firings.flatMap(({ changes }) => changes))),
      commands: firstOf(firings.flatMap(({ commands }) => commands.map(shown))),
      events: counted(
        firings.flatMap(({ rule, published }) =>
          published
            .filter(({ data }) => !isOfPlan(data))
            .map(({ type }) => ({ key: `${type} ${rule}`, item: { type, rule } })),
        ),
      ),
      failures: [...failures],
      ...(cut === null ? {} : { cut }),
    };
  }

  #step(rules: RuleSet, inputs: readonly Input[]) {
    const { record, replies, commands } = step(this.#state, rules, inputs, this.#stamp);
    if (record !== undefined) this.#records.push(record);
    const answered = commands.filter((command) => isAnswered(this.#state, command));
    this.#left += commands.length - answered.length;
    this.#waiting = [...this.#waiting, ...answered];
    return replies;
  }
}

function isAnswered({ graph, watermarks }: CoordinatorState, command: Command): boolean {
  const isUp = graph.get("Node", command.node)?.attributes.state === "up";
  return isUp && watermarks.has(`node/${command.node}`) && answerTo(command) !== null;
}

/** What the nodes say when they have done what they were told. */
function answersTo(
  { watermarks }: CoordinatorState,
  commands: readonly Command[],
): readonly Input[] {
  const last = new Map<string, number>();
  return commands.flatMap((command) => {
    const source = `node/${command.node}`;
    const watermark = watermarks.get(source);
    const said = answerTo(command);
    if (watermark === undefined || said === null) return [];
    const { incarnation } = watermark;
    const sequence = (last.get(source) ?? watermark.sequence) + 1;
    last.set(source, sequence);
    return [{ type: "numbered", source, incarnation, sequence, event: { ...said, version: 1 } }];
  });
}

function answerTo({
  id,
  node,
  action,
}: Command): { readonly type: string; readonly data: JsonObject } | null {
  const { service, instance } = action;
  const at = { node, service, instance, command: id };
  switch (action.type) {
    case "StartService": {
      const data = { ...at, configuration: action.configHash };
      return { type: events.ServiceStarted.type, data };
    }
    case "StopService":
      return { type: events.ServiceStopped.type, data: at };
    case "ReconfigureService": {
      const data = { ...at, configuration: action.configHash };
      return { type: events.ServiceReconfigured.type, data };
    }
    case "CheckService":
      return { type: events.ServiceChecked.type, data: { ...at, health: "ok" } };
    default:
      return null;
  }
}

function shown({ action, node }: Command): PlannedActions["commands"]["items"][number] {
  return { command: action.type, target: action.instance, node };
}

function isOfPlan(data: Json): boolean {
  return (data as { readonly operation?: unknown } | null)?.operation === operation;
}

type Touched = PlannedActions["resources"]["items"][number];

/** What is different in the end, whatever it was in between. A relation belongs to where it starts. */
function resourcesOf(changes: readonly Change[]): readonly Touched[] {
  const ends = new Map<string, { readonly before: Json; after: Json }>();
  const related = new Set<string>();
  for (const change of changes) {
    if ("relation" in change) {
      if (change.relation.name !== "contains") related.add(change.relation.from);
      continue;
    }
    const after = change.type === "put" ? change.after : null;
    const known = ends.get(change.key);
    if (known === undefined) ends.set(change.key, { before: change.before, after });
    else known.after = after;
  }
  const touched: Touched[] = [];
  for (const [key, { before, after }] of ends) {
    if (before === null && after === null) continue;
    if (before === null) touched.push({ action: "add", key });
    else if (after === null) touched.push({ action: "remove", key });
    else if (related.has(key) || canonicalJson(before) !== canonicalJson(after))
      touched.push({ action: "change", key });
  }
  for (const key of related) if (!ends.has(key)) touched.push({ action: "change", key });
  return touched
    .filter(({ key }) => !key.startsWith("Operation/"))
    .sort((a, b) => compareText(a.key, b.key));
}

interface Some<T> {
  items: T[];
  more: number;
}

function firstOf<T>(all: readonly T[]): Some<T> {
  return { items: all.slice(0, itemsMax), more: Math.max(0, all.length - itemsMax) };
}

/** Equal keys once, in the order in which they came first; those of rule files before what has room. */
function counted<T>(
  all: readonly { readonly key: string; readonly item: T & { readonly rule: string } }[],
): Some<T & { rule: string; times: number }> {
  const byKey = new Map<string, T & { rule: string; times: number }>();
  for (const { key, item } of all) {
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, { ...item, times: 1 });
    else known.times += 1;
  }
  const items = [...byKey.values()];
  if (items.length <= itemsMax) return { items, more: 0 };
  const own = items.filter(({ rule }) => !rule.startsWith(built));
  const rest = items.filter(({ rule }) => rule.startsWith(built));
  return firstOf([...own, ...rest]);
}
