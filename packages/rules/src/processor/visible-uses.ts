/** What rules of the coordinator have in their context, and rules that run on nodes have not. */
export const absentNames = [
  "graph",
  "command",
  "update",
  "timer",
  "job",
  "alert",
  "run",
  "call",
  "envelope",
  "wallTime",
] as const;

/**
 * Absent members of the context that a function plainly names: in the pattern of its first parameter, or behind it.
 *
 * It reads the text only, so it finds what is written out; the rest throws when it runs.
 */
export function visibleUses(work: (...given: never[]) => unknown): readonly string[] {
  const text = Function.prototype.toString.call(work);
  const head = text.replace(/^\s*async\b/, "").replace(/^\s*function\b[^(]*/, "");
  const pattern = /^\s*\(?\s*\{/.exec(head);
  if (pattern !== null) {
    const names = topNames(head.slice(pattern[0].length));
    return absentNames.filter((name) => names.has(name));
  }
  const name = /^\s*\(?\s*([A-Za-z_$][\w$]*)/.exec(head)?.[1];
  if (name === undefined) return [];
  const own = name.replaceAll("$", "\\$");
  return absentNames.filter((used) => new RegExp(`(?<![\\w$.])${own}\\.${used}\\b`).test(head));
}

/** Names of an object pattern up to its closing brace; those inside of another are not its own. */
function topNames(text: string): ReadonlySet<string> {
  const names = new Set<string>();
  let depth = 0;
  let isName = true;
  for (const token of text.match(/[A-Za-z_$][\w$]*|[^\s]/g) ?? []) {
    if ("{[(".includes(token)) depth += 1;
    else if ("}])".includes(token)) depth -= 1;
    else if (depth === 0 && token === ",") isName = true;
    else if (depth === 0 && isName && /^[A-Za-z_$]/.test(token)) {
      names.add(token);
      isName = false;
    }
    if (depth < 0) break;
  }
  return names;
}
