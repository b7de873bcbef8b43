/** Reads the layer table of RFC 0001, so that the document and the check are one thing. */

const heading = "### Layers and packages";

/**
 * @typedef {{ readonly layer: string, readonly may: ReadonlySet<string> }} Rights
 * @param {string} rfc The text of RFC 0001.
 * @returns {ReadonlyMap<string, Rights>} By package: its layer, and the packages that it may import.
 */
export function readLayers(rfc) {
  const rows = tableBelow(rfc, heading).map(([layer = "", packages = "", may = ""]) => ({
    layer,
    packages: quoted(packages),
    clauses: may.split(";").map((clause) => clause.trim()),
  }));
  const packagesOf = new Map(rows.map((row) => [row.layer, row.packages]));
  const rights = new Map();
  rows.forEach((row, position) => {
    const below = rows.slice(0, position).flatMap((lower) => lower.packages);
    for (const name of row.packages) {
      const may = row.clauses.flatMap((clause) => granted(clause, name, packagesOf, below));
      rights.set(name, { layer: row.layer, may: new Set(may) });
    }
  });
  return rights;
}

/** What one clause of the last column grants to `name`: "core", "`protocol`", "everything below", "`a` imports `b c`". */
function granted(clause, name, packagesOf, below) {
  const [subject, object] = clause.split(" imports ");
  if (object !== undefined) return quoted(subject).includes(name) ? quoted(object) : [];
  if (clause === "everything below") return below;
  const named = packagesOf.get(clause) ?? quoted(clause);
  if (named.length === 0)
    throw new Error(`RFC 0001 has a clause that is not understood: ${clause}`);
  return named;
}

function quoted(cell) {
  return [...cell.matchAll(/`([^`]+)`/g)].flatMap((match) => match[1].split(/\s+/));
}

function tableBelow(text, title) {
  const lines = text.split("\n");
  const start = lines.indexOf(title);
  if (start < 0) throw new Error(`RFC 0001 has no section "${title}"`);
  const first = lines.findIndex((line, index) => index > start && line.startsWith("|"));
  const rows = [];
  for (let index = first; lines[index]?.startsWith("|"); index += 1) rows.push(lines[index]);
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
