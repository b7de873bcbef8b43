import { type GraphView, keyOf, type Resource } from "@halon/protocol";
import { definitionKind } from "./kinds.ts";
import { allRelations, allResources } from "./walk.ts";

/** The graph for Graphviz; kind definitions are left out, nothing is related to them. */
export function toDot(view: GraphView): string {
  const lines = ["digraph halon {", "  rankdir=LR;", "  node [shape=box];"];
  for (const resource of allResources(view)) {
    if (resource.kind === definitionKind) continue;
    const label = [resource.kind, resource.id, ...stateOf(resource)].map(escaped).join("\\n");
    lines.push(`  ${quoted(keyOf(resource.kind, resource.id))} [label="${label}"];`);
  }
  for (const { from, name, to } of allRelations(view)) {
    lines.push(`  ${quoted(from)} -> ${quoted(to)} [label=${quoted(name)}];`);
  }
  return `${[...lines, "}"].join("\n")}\n`;
}

function stateOf({ attributes }: Resource): readonly string[] {
  const state = Object.hasOwn(attributes, "state") ? attributes["state"] : undefined;
  return typeof state === "string" ? [state] : [];
}

function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

/** Graphviz ends a text at NUL and breaks a line at others: a control character becomes its picture. */
function escaped(text: string): string {
  return (
    text
      .replace(/["\\]/g, "\\$&")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
      .replace(/[\0-\x1f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
      .replace(/\p{Surrogate}/gu, "\ufffd")
  );
}
