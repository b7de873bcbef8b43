import type { InvariantId } from "./invariants/invariant.ts";
import type { Scenario } from "./scenario.ts";

/** A scenario as it is kept, and what it is kept for: the rule that it broke, or null when it must break none. */
export interface SavedScenario {
  readonly breaks: InvariantId | null;
  readonly scenario: Scenario;
}

/** JSON, one fault or request a line. */
export function formatScenario({ breaks, scenario }: SavedScenario): string {
  const { format, seed, settings, faults, requests } = scenario;
  const list = (items: readonly unknown[]): string =>
    items.length === 0
      ? "[]"
      : `[\n${items.map((item) => `  ${JSON.stringify(item)}`).join(",\n")}\n]`;
  return `{
"breaks": ${JSON.stringify(breaks)},
"scenario": {
"format": ${format},
"seed": ${seed},
"settings": ${JSON.stringify(settings)},
"faults": ${list(faults)},
"requests": ${list(requests)}
}
}
`;
}

/** What `formatScenario` gave. Throws when the text is of another format. */
export function parseScenario(text: string): SavedScenario {
  const saved: SavedScenario = JSON.parse(text);
  if (saved.scenario?.format !== 1) throw new Error("this is no scenario of format 1");
  return saved;
}
