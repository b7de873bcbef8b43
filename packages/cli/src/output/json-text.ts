/**
 * Lays out a JSON text for people, as `JSON.stringify` with two spaces does.
 *
 * The text is not read as values: integers beyond 2^53 keep their digits, whatever a number of JavaScript can hold.
 */
export function indented(text: string): string {
  let out = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const first = token.charAt(0);
    if (token.length > 1 && (first === "{" || first === "[")) out += token.replace(/\s+/g, "");
    else if (first === "{" || first === "[") {
      depth++;
      out += token + line();
    } else if (first === "}" || first === "]") {
      depth--;
      out += line() + token;
    } else if (token === ",") out += token + line();
    else out += token === ":" ? ": " : token;
  }
  return out;
}
