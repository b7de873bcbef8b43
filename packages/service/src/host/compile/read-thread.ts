import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { type JsonObject, SecretReference, type ServiceKind, secretKeyword } from "@halon/protocol";
import * as rules from "@halon/rules";
import { openRealm } from "@halon/rules/realm";
import { z } from "zod";
import type { ServiceDefinition } from "../../definition.ts";
import type { CompiledFile } from "./read-module.ts";

// The entry of a throwaway thread: loads one compiled file and posts what it exports, as JSON.

interface RulesDefinition {
  readonly options?: JsonObject;
  readonly optionsSchema?: JsonObject;
  readonly kind: "rules";
  readonly runs?: "node";
  readonly hears?: readonly string[];
  readonly rules: Readonly<Record<string, { readonly pattern?: { readonly description: object } }>>;
  readonly events: readonly {
    type: string;
    version: number;
    schema: z.ZodType;
    from?: Readonly<Record<number, unknown>>;
  }[];
  readonly resources?: Readonly<Record<string, z.ZodType>>;
  readonly invariants?: readonly { readonly name: string }[];
}

try {
  post({ type: "value", value: describe(await load(workerData as CompiledFile)) });
} catch (error) {
  // Errors of the realm of rule files are of another class Error.
  const { name, message, code, stack } = (
    typeof error === "object" && error !== null && "message" in error
      ? error
      : { message: String(error) }
  ) as { name?: string; message: string; code?: unknown; stack?: string };
  post({ type: "error", name, message, code: typeof code === "string" ? code : undefined, stack });
}
// A module may have left timers and servers behind.
setImmediate(() => process.exit(0));

async function load({ form, url, options }: CompiledFile): Promise<unknown> {
  if (form === "module") return ((await import(url)) as { default?: unknown }).default;
  const file = fileURLToPath(url);
  const text = await readFile(file, "utf8");
  const context = createContext({}, { codeGeneration: { strings: false, wasm: false } });
  const realm = openRealm((code, filename) => runInContext(code, context, { filename }), rules);
  const configured = rules.rulesOf(realm.load(text, file), options);
  return {
    ...configured.rules,
    options: configured.options,
    optionsSchema: configured.optionsSchema,
  };
}

function post(answer: object): void {
  const plain = (_: string, value: unknown) => (value instanceof RegExp ? value.source : value);
  parentPort?.postMessage(JSON.stringify(answer, plain));
}

function describe(value: unknown): unknown {
  const definition = value as ServiceDefinition | RulesDefinition | undefined | null;
  if (definition?.kind === "halon.service") {
    return {
      ...definition,
      serviceKind: kindOf(definition),
      config: configSchemaOf(definition.config),
      resources: schemasOf(definition.resources),
      ...(definition.messages === undefined ? {} : { messages: schemasOf(definition.messages) }),
    };
  }
  if (definition?.kind === "rules") {
    const events = definition.events.map(({ type, version, schema, from }) => ({
      type,
      version,
      schema: schemaOf(schema),
      ...(from === undefined ? {} : { from: Object.keys(from).map(Number) }),
    }));
    const { options, optionsSchema, invariants = [] } = definition;
    return {
      kind: "rules",
      runs: definition.runs,
      hears: definition.hears,
      rules: Object.keys(definition.rules),
      invariants: invariants.map(({ name }) => name),
      options,
      optionsSchema,
      events,
      resources: schemasOf(definition.resources),
      patterns: Object.fromEntries(
        Object.entries(definition.rules).flatMap(([name, { pattern }]) =>
          pattern === undefined ? [] : [[name, pattern.description]],
        ),
      ),
    };
  }
  return value;
}

function kindOf(definition: ServiceDefinition): ServiceKind {
  if (definition.process !== undefined) return "process";
  if (definition.ocf !== undefined) return "ocf";
  if (definition.systemd !== undefined) return "systemd";
  return definition.isolation === "process" ? "node-process" : "worker";
}

function schemasOf(
  kinds: Readonly<Record<string, z.ZodType>> = {},
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(kinds).map(([kind, schema]) => [kind, schemaOf(schema)]),
  );
}

function schemaOf(schema: z.ZodType): object {
  return plain(z.toJSONSchema(schema, { io: "input" }));
}

/** A configuration holds references to secrets where the service finds text. */
function configSchemaOf(schema: z.ZodType): object {
  const reference = plain(z.toJSONSchema(SecretReference));
  const schemaOfSecret = z.toJSONSchema(schema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type !== "string" || jsonSchema[secretKeyword] !== true) return;
      const { description } = jsonSchema;
      for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword];
      Object.assign(jsonSchema, reference, { [secretKeyword]: true });
      if (description !== undefined) jsonSchema.description = description;
    },
  });
  return plain(schemaOfSecret);
}

function plain(schema: object): object {
  const { $schema: _, "~standard": __, ...rest } = schema as Record<string, unknown>;
  return rest;
}
