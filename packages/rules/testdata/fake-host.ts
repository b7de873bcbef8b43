import type {
  Command,
  Contribution,
  EventEnvelope,
  Firing,
  Json,
  PatternDescription,
  RuleContribution,
} from "@halon/protocol";
import { indexRules } from "../src/compiled.ts";
import { type Outcome, runRules } from "../src/engine.ts";
import type { RuleHost } from "../src/host.ts";
import { Matching } from "../src/matching.ts";
import type { Rules } from "../src/rule.ts";

type ChangeOf = Firing["changes"][number];

/** A host of rules whose graph is a list of the resources put into it. */
export class FakeHost implements RuleHost {
  now = 1_000;
  readonly wallTime = 50_000;
  readonly epoch = 3;
  readonly changes: ChangeOf[] = [];
  readonly memories = new Map<string, Json>();
  readonly timers = new Set<string>();
  readonly outbox: Command[] = [];
  readonly matching = new Matching();
  readonly contributions: RuleContribution[] = [];
  /** Whose code ran, in order. */
  readonly ran: (string | null)[] = [];
  answer: Command | undefined;
  #ids = 0;

  readonly transaction = {
    view: {
      revision: 0,
      get: (kind: string, id: string) => this.#put(kind, id),
      list: () => [],
      out: () => [],
      in: () => [],
      related: () => false,
      relations: () => [],
    } as RuleHost["transaction"]["view"],
    update: {
      put: (kind: string, id: string, after: object) =>
        void this.changes.push({ type: "put", key: `${kind}/${id}`, before: null, after } as never),
      patch: () => undefined,
      remove: () => undefined,
      relate: () => undefined,
      unrelate: () => undefined,
    } as RuleHost["transaction"]["update"],
    savepoint: () => this.changes.length,
    rollbackTo: (savepoint: number) => void this.changes.splice(savepoint),
    changesSince: (savepoint: number) => this.changes.slice(savepoint),
  };

  memory(file: string, key: string): Json | undefined {
    return this.memories.get(`${file}:${key}`);
  }

  memoryKeys(file: string, prefix: string): readonly string[] {
    return [...this.memories.keys()]
      .filter((key) => key.startsWith(`${file}:${prefix}`))
      .map((key) => key.slice(file.length + 1))
      .sort();
  }

  contribute(rule: string, contribution: Contribution) {
    this.contributions.push({ rule, ...contribution });
    return this.matching.take(rule, contribution, this.now);
  }

  timerPending(key: string): boolean {
    return this.timers.has(key);
  }

  outstanding(node: string): readonly Command[] {
    return this.outbox.filter((command) => command.node === node);
  }

  answered(): Command | undefined {
    return this.answer;
  }

  nextCommandId(): string {
    this.#ids += 1;
    return `9.${this.#ids}`;
  }

  nextEventId(): string {
    this.#ids += 1;
    return `9-${this.#ids}`;
  }

  admit(): void {
    // Room for everything.
  }

  running(file: string | null): void {
    this.ran.push(file);
  }

  fired(firing: Firing): void {
    const file = firing.rule.slice(0, firing.rule.indexOf("/"));
    for (const { key, value } of firing.memory) this.memories.set(`${file}:${key}`, value);
    for (const timer of firing.timers) {
      if (timer.type === "arm") this.timers.add(timer.key);
      else this.timers.delete(timer.key);
    }
    this.outbox.push(...firing.commands);
  }

  #put(kind: string, id: string) {
    const change = this.changes.findLast(
      (each) => each.type === "put" && each.key === `${kind}/${id}`,
    );
    return change?.type === "put" ? ({ kind, id, attributes: change.after } as never) : undefined;
  }
}

/** Runs one event through one rule file, named `file` unless told. */
export function run(rules: Rules, event: Partial<EventEnvelope>, host = new FakeHost()): Outcome {
  return runFiles([{ name: "file", rules }], event, host);
}

/** Runs one event through rule files, in the order given. */
export function runFiles(
  files: readonly { readonly name: string; readonly rules: Rules }[],
  event: Partial<EventEnvelope>,
  host = new FakeHost(),
): Outcome {
  const envelope = { id: "e1", type: "Ping", version: 1, source: "client/e1", data: {}, ...event };
  return runRules(indexRules(files), envelope, host);
}

/** The patterns of rule files, as the graph names them. */
export function patternsOf(
  files: readonly { readonly name: string; readonly rules: Rules }[],
): ReadonlyMap<string, PatternDescription> {
  return new Map(
    files.flatMap(({ name, rules }) =>
      Object.entries(rules.rules).flatMap(([rule, { pattern }]) =>
        pattern === undefined ? [] : [[`${name}/${rule}`, pattern.description] as const],
      ),
    ),
  );
}
