import { type AttributesOf, type EventEnvelope, events, type GraphView } from "@halon/protocol";
import type { CompiledRule, RuleIndex } from "@halon/rules";
import type { Input } from "./intake.ts";
import { watermarkOf } from "./sources.ts";
import type { CoordinatorState } from "./state.ts";

/** A rule file that is in the graph but cannot take part. */
export interface RuleFileFailure {
  readonly file: string;
  readonly blob: string;
  readonly reason: string;
}

/** Whether the file takes part: nobody has taken it out of force. */
export function isInForce({ quarantined, disabled }: AttributesOf<"RuleFile">): boolean {
  return quarantined === undefined && disabled === undefined;
}

/** The version that is in force: its blob; with options, `blob#edition`. */
export function versionOf({
  blob,
  edition,
}: Pick<AttributesOf<"RuleFile">, "blob" | "edition">): string {
  return edition === undefined ? blob : `${blob}#${edition}`;
}

/** The blob of a version. */
export function blobOf(version: string): string {
  return version.replace(/#\d+$/, "");
}

/** What decides which rules are in force: a key that changes when they have to be loaded again. */
export function ruleFilesKey(graph: GraphView): string {
  return graph
    .list("RuleFile")
    .map(({ id, attributes }) => {
      const { kept = [], retired = false } = attributes;
      const versions = [...(retired ? ["-"] : []), versionOf(attributes), ...kept].join("+");
      return `${id}=${versions}${isInForce(attributes) ? "" : "!"}`;
    })
    .join(",");
}

/** The file in quarantine whose event this is: it alone declares its type, so its rules alone would be on it. */
export function keeperOf(graph: GraphView, { type }: EventEnvelope): string | null {
  const keeper = graph
    .list("RuleFile")
    .find(
      ({ attributes: { quarantined, events } }) =>
        quarantined !== undefined && events.some((event) => event.type === type),
    );
  return keeper?.id ?? null;
}

/** Names of the files whose rules are loaded and begin anew: not those that are there for their jobs alone. */
export function loadedFiles({ byId }: RuleIndex): ReadonlySet<string> {
  return new Set([...byId.values()].map(({ file }) => file));
}

/** The rules without those of one file, or of one kept version. */
export function withoutCode(index: RuleIndex, code: string): RuleIndex {
  const isOther = ({ code: other }: CompiledRule): boolean => other !== code;
  return {
    byEvent: new Map(
      [...index.byEvent].flatMap(([type, concerns]) => {
        const others = concerns.filter(({ compiled }) => isOther(compiled));
        return others.length === 0 ? [] : [[type, others] as const];
      }),
    ),
    byId: new Map([...index.byId].filter(([, compiled]) => isOther(compiled))),
    charts: new Map(
      [...index.charts].flatMap(([id, versions]) => {
        const others = versions.filter(isOther);
        return others.length === 0 ? [] : [[id, others] as const];
      }),
    ),
    invariants: index.invariants.filter((invariant) => invariant.code !== code),
  };
}

/** The rules as one of them alone hears events; jobs of others can still be asked for. */
export function onlyRule(index: RuleIndex, rule: string): RuleIndex {
  return {
    ...index,
    byEvent: new Map(
      [...index.byEvent].flatMap(([type, concerns]) => {
        const own = concerns.filter(({ compiled }) => compiled.id === rule);
        return own.length === 0 ? [] : [[type, own] as const];
      }),
    ),
  };
}

/** What the coordinator observes of rule files that cannot take part: they are decided first, so they have a source of their own. */
export function failureInputs(
  state: Pick<CoordinatorState, "watermarks">,
  epoch: number,
  failures: readonly RuleFileFailure[],
): readonly Input[] {
  const last = watermarkOf(state, source, epoch);
  return failures.map(({ file, blob, reason }, position) => ({
    type: "numbered",
    source,
    incarnation: epoch,
    sequence: last + 1 + position,
    event: { type: events.RuleFileFailed.type, version: 1, data: { file, blob, reason } },
  }));
}

const source = "coordinator";
