import { builtInRules, type RuleSet } from "@halon/coordinator/core";
import { indexRules, type Rules } from "@halon/rules";

/** Names of rule files in `fixtures/`, by the name under which the cluster knows them. */
export type RuleFiles = Readonly<Record<string, string>>;

export async function loadRules(files: RuleFiles): Promise<RuleSet> {
  const loaded: { name: string; rules: Rules }[] = [];
  for (const [name, fixture] of Object.entries(files)) {
    const module: { default: Rules } = await import(`./fixtures/${fixture}.ts`);
    loaded.push({ name, rules: module.default });
  }
  return {
    index: indexRules([{ name: "builtin", rules: builtInRules }, ...loaded]),
    declared: new Map(
      loaded.flatMap(({ rules }) => rules.events.map((event) => [event.type, event] as const)),
    ),
  };
}
