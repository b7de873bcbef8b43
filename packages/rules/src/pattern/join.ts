import type { Contribution, Json, PatternDescription } from "@halon/protocol";
import type { Match } from "./match.ts";
import { type Matcher, neverDue, noMatches } from "./matcher.ts";
import { type SavedWindow, Windows } from "./windows.ts";

type JoinPattern = Extract<PatternDescription, { readonly type: "join" }>;

/** What waits on one side: when it came, and what is kept of it. */
type Waiting = readonly [at: number, kept: Json];
type Sides = readonly [left: readonly Waiting[], right: readonly Waiting[]];

const noSides: Sides = [[], []];

/** `join`: pairs of events of two kinds with one key, whichever comes first. */
export class Join implements Matcher {
  readonly firstDue = neverDue;
  readonly windows: Windows;
  readonly #pattern: JoinPattern;

  constructor(pattern: JoinPattern) {
    this.#pattern = pattern;
    const { keysMax, overflow, withinMs: idleMs } = pattern;
    this.windows = new Windows({ width: 0, keysMax, overflow, idleMs });
  }

  take({ key, part, kept = null }: Contribution, at: number): readonly Match[] {
    const slot = this.windows.open(key, at);
    if (slot < 0) return noMatches;
    const { withinMs, keep } = this.#pattern;
    const sides = (this.windows.kept(slot) ?? noSides) as unknown as Sides;
    const [left, right] = sides.map((side) => side.filter(([came]) => at - came <= withinMs));
    const own: readonly Waiting[] = [...((part === 0 ? left : right) ?? []), [at, kept]];
    const other = (part === 0 ? right : left) ?? [];
    const bounded = own.slice(-keep);
    const next = part === 0 ? [bounded, other] : [other, bounded];
    this.windows.keep(slot, next as unknown as Json);
    return other.map(([since, waited]) => ({
      key,
      since,
      until: at,
      kept: part === 0 ? [kept, waited] : [waited, kept],
    }));
  }

  due(): null {
    return null;
  }

  save(): readonly SavedWindow[] {
    return this.windows.save();
  }

  load(saved: readonly SavedWindow[]): void {
    this.windows.load(saved);
  }
}
