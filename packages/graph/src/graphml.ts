import { canonicalJson, type GraphView, keyOf } from "@halon/protocol";
import { definitionKind } from "./kinds.ts";
import { allRelations, allResources } from "./walk.ts";

/** The graph as GraphML; attributes stand in `attributes` as JSON, kind definitions are left out. */
export function toGraphml(view: GraphView): string {
  const resources = allResources(view).filter(({ kind }) => kind !== definitionKind);
  // Ids of XML may not hold what a key may, so they are counted.
  const ids = new Map(resources.map(({ kind, id }, index) => [keyOf(kind, id), `n${index}`]));
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    ...["kind", "id", "attributes"].map(
      (name) => `  <key id="${name}" for="node" attr.name="${name}" attr.type="string"/>`,
    ),
    '  <key id="relation" for="edge" attr.name="relation" attr.type="string"/>',
    '  <graph id="halon" edgedefault="directed">',
  ];
  for (const { kind, id, attributes } of resources) {
    lines.push(
      `    <node id="${ids.get(keyOf(kind, id))}">${data("kind", kind)}${data("id", id)}` +
        `${data("attributes", canonicalJson(attributes))}</node>`,
    );
  }
  for (const { from, name, to } of allRelations(view)) {
    lines.push(
      `    <edge source="${ids.get(from)}" target="${ids.get(to)}">${data("relation", name)}</edge>`,
    );
  }
  return `${[...lines, "  </graph>", "</graphml>"].join("\n")}\n`;
}

function data(key: string, text: string): string {
  return `<data key="${key}">${escaped(text)}</data>`;
}

/** What XML 1.0 cannot hold, even escaped, becomes U+FFFD. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
      .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
      .replace(/\p{Surrogate}/gu, "\ufffd")
      .replace(/[&<>"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
  );
}
