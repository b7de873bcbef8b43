import { HalonError, type Json, type JsonObject } from "@halon/protocol";

/** What the names in a template stand for. */
export interface TemplateValues {
  readonly config: JsonObject;
  readonly instance: string;
  readonly service: string;
  readonly node: string;
  readonly directory: string;
  blobPath(hash: string): string;
  /** Of an exclusive instance: what `{token}` stands for. */
  readonly lease?: { readonly token: number };
  /** Named groups of a pattern; they come before the other names. */
  readonly groups?: Readonly<Record<string, string | undefined>>;
}

/**
 * Fills `{config.<field>}`, `{blob:<hash>}`, `{instance}`, `{service}`, `{node}`, `{directory}`, `{token}` and `{<group>}`.
 *
 * `{{` is a brace; a closing brace stands for itself. Objects and lists are filled in as JSON. Throws
 * HAL_SCHEMA_VIOLATION when a name is unknown or has no value: an argument left empty would start something else.
 */
export function fill(template: string, values: TemplateValues): string {
  return template.replace(braces, (found, name: string | undefined) => {
    if (found === "{{") return "{";
    if (name === undefined) throw violation(template, "has a { that is not closed; write {{");
    return lookUp(name, template, values);
  });
}

const braces = /\{\{|\{([^{}]*)\}|\{/g;

/** The names that a template asks for; undefined for a brace that is not closed. */
export function namesIn(template: string): readonly (string | undefined)[] {
  return [...template.matchAll(braces)].filter(([found]) => found !== "{{").map(([, name]) => name);
}

/** Whether a name stands for something in every template. */
export function isGivenName(name: string): boolean {
  return givenNames.includes(name) || name.startsWith("blob:");
}

const givenNames = ["instance", "service", "node", "directory", "token"];

/** A template that must give a port. Throws HAL_SCHEMA_VIOLATION. */
export function fillPort(template: string, values: TemplateValues): number {
  const text = fill(template, values);
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw violation(template, `gives ${JSON.stringify(text)}, expected a port of 1 to 65535`);
}

function lookUp(name: string, template: string, values: TemplateValues): string {
  const { groups } = values;
  if (groups !== undefined && Object.hasOwn(groups, name)) {
    const group = groups[name];
    if (group === undefined) throw violation(template, `needs the group ${name}, which is empty`);
    return group;
  }
  if (name.startsWith("config.")) return fieldOf(name.slice("config.".length), template, values);
  if (name.startsWith("blob:")) return values.blobPath(name.slice("blob:".length));
  if (name === "instance" || name === "service" || name === "node" || name === "directory") {
    return values[name];
  }
  if (name === "token") {
    if (values.lease !== undefined) return String(values.lease.token);
    throw violation(
      template,
      'needs {token}, which only an exclusive service has (exclusive: "cluster")',
    );
  }
  throw violation(template, `names {${name}}, which is not known`);
}

function fieldOf(field: string, template: string, values: TemplateValues): string {
  // Own fields only: {config.constructor} must be missing, not the text of a function.
  const value: Json | undefined = Object.hasOwn(values.config, field)
    ? values.config[field]
    : undefined;
  if (value === undefined || value === null) {
    throw violation(template, `needs the field ${field}, which the configuration does not have`);
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function violation(template: string, what: string): HalonError {
  // Shortened: a template may be longer than a reason in an event.
  const shown = JSON.stringify(template.slice(0, 200));
  return new HalonError("HAL_SCHEMA_VIOLATION", `the template ${shown} ${what}`);
}
