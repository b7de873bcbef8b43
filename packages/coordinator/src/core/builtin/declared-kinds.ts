import { builtInKinds, type ClusterSpec, canonicalJson, type JsonObject } from "@halon/protocol";
import type { Context } from "./context.ts";

interface Declaration {
  readonly by: string;
  readonly kind: string;
  readonly schema: JsonObject;
}

/** Why the kinds of resource that a cluster file declares cannot be taken in, or undefined. */
export function kindConflict(context: Context, spec: ClusterSpec): string | undefined {
  const seen = new Map<string, Declaration>();
  for (const declared of declarations(spec)) {
    const { by, kind, schema } = declared;
    if (Object.hasOwn(builtInKinds, kind))
      return `${by} declares the kind ${kind}, which is Halon's own`;
    // The graph would refuse it in the middle of the rule, and whoever asked would not be told.
    const described = schema["type"] ?? null;
    if (described !== "object") {
      return `${by} declares the kind ${kind} with a schema that describes ${JSON.stringify(described)}; attributes are an object, so its "type" must be "object"`;
    }
    const other = seen.get(kind);
    if (other !== undefined && canonicalJson(other.schema) !== canonicalJson(schema)) {
      return `${by} and ${other.by} declare the kind ${kind} with different schemas`;
    }
    seen.set(kind, declared);
    const [present] = isOther(context, kind, schema) ? context.graph.list(kind) : [];
    if (present !== undefined) {
      return `${by} declares the kind ${kind} with another schema than that of ${kind}/${present.id}; stop what holds it first`;
    }
  }
  return undefined;
}

/** Declares the kinds; those whose schema changed have no resources, or `kindConflict` had told. */
export function declareKinds(context: Context, spec: ClusterSpec): void {
  for (const { kind, schema } of declarations(spec)) {
    if (isOther(context, kind, schema)) context.update.remove("Kind", kind);
    if (context.graph.get("Kind", kind) === undefined) context.update.put("Kind", kind, { schema });
  }
}

function isOther(context: Context, kind: string, schema: JsonObject): boolean {
  const known = context.graph.get("Kind", kind);
  return known !== undefined && canonicalJson(known.attributes["schema"]) !== canonicalJson(schema);
}

function declarations(spec: ClusterSpec): readonly Declaration[] {
  return [
    ...spec.types.map(({ name, resources }) => ({ by: `service type ${name}`, resources })),
    ...spec.rules.map(({ name, resources }) => ({ by: `rule file ${name}`, resources })),
  ].flatMap(({ by, resources }) =>
    Object.keys(resources)
      .sort()
      .map((kind) => ({ by, kind, schema: (resources[kind] ?? {}) as JsonObject })),
  );
}
