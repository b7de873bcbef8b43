import { SourceMap } from "node:module";
import { createContext, runInContext } from "node:vm";
import type { JsonObject } from "@halon/protocol";
import * as library from "@halon/rules";
import { openRealm } from "@halon/rules/realm";

/** A compiled rule file that was run in a realm of its own. */
export interface RuleScript {
  /** Of the options that it was given. */
  readonly rules: library.Rules;
  /** What the file makes of other options. Throws what its code throws, and HAL_CONFIG_INVALID on options that it refuses. */
  configure(options: JsonObject): library.ConfiguredFile;
  /** Where in the author's file a position of the script is, such as `mine.rules.ts:12`. */
  whereIs(line: number, column: number): string | null;
}

const mapComment = "//# sourceMappingURL=data:application/json;base64,";

/**
 * Runs the script, whose file in stack traces is `name`, and its rules' function with the options.
 *
 * Throws what these throw, and HAL_CONFIG_INVALID when it exports no rules or refuses the options.
 */
export function runRuleScript(text: string, name: string, options?: JsonObject): RuleScript {
  const context = createContext(
    {},
    { codeGeneration: { strings: false, wasm: false }, microtaskMode: "afterEvaluate" },
  );
  const realm = openRealm((code, filename) => runInContext(code, context, { filename }), library);
  const exported = realm.load(text, name);
  let map: SourceMap | null | undefined;
  return {
    rules: library.rulesOf(exported, options).rules,
    configure: (other) => library.rulesOf(exported, other),
    whereIs(line, column) {
      map ??= sourceMapOf(text);
      const entry = map?.findEntry(line - 1, column - 1);
      if (entry === undefined || !("originalSource" in entry)) return null;
      return `${entry.originalSource}:${entry.originalLine + 1}`;
    },
  };
}

function sourceMapOf(text: string): SourceMap | null {
  const at = text.lastIndexOf(mapComment);
  if (at === -1) return null;
  try {
    const json = Buffer.from(text.slice(at + mapComment.length), "base64").toString();
    return new SourceMap(JSON.parse(json));
  } catch {
    // A damaged map costs the line in a message, not the rule file.
    return null;
  }
}
