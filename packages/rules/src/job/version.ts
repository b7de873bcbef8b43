import type { AttributesOf, GraphUpdate, GraphView, JsonObject } from "@halon/protocol";

/**
 * Lets go of an earlier version of a rule file; false when it was not kept.
 *
 * A file that was removed, and is there for its jobs alone, goes with its last version.
 */
export function releaseVersion(
  view: GraphView,
  update: GraphUpdate,
  file: string,
  version: string,
): boolean {
  const known = view.get("RuleFile", file);
  if (known === undefined) return false;
  const { kept = [], keptOptions = {}, ...attributes } = known.attributes;
  const rest = kept.filter((blob) => blob !== version);
  if (rest.length === kept.length) return false;
  if (rest.length === 0 && attributes.retired === true) update.remove("RuleFile", file);
  else update.put("RuleFile", file, { ...attributes, ...keeping(rest, keptOptions) });
  return true;
}

function keeping(
  kept: readonly string[],
  options: Readonly<Record<string, JsonObject>>,
): Partial<Pick<AttributesOf<"RuleFile">, "kept" | "keptOptions">> {
  if (kept.length === 0) return {};
  const left = Object.entries(options).filter(([version]) => kept.includes(version));
  return {
    kept: [...kept],
    ...(left.length === 0 ? {} : { keptOptions: Object.fromEntries(left) }),
  };
}
