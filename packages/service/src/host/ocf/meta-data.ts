import type { JsonSchema } from "@halon/protocol";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { loadError } from "./agent.ts";
import type { AgentDescription } from "./describe.ts";

const depthMax = 20;
const parametersMax = 500;
const actionsMax = 100;
const textCharsMax = 1_000;
const defaultTimeoutMs = 20_000;
/** Parameters that may name a secret of the node in the place of a value. */
const secretName = /pass|secret|token|credential|private|key/i;
const secretReference: JsonSchema = {
  type: "object",
  properties: { $secret: { type: "string" } },
  required: ["$secret"],
  additionalProperties: false,
};
/** Agents take it like a parameter of their own (OCF 1.0, monitor). */
const checkLevel = "OCF_CHECK_LEVEL";
const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

interface Element {
  readonly [name: string]: unknown;
}

/** Reads what an agent wrote when it was asked for its meta-data. Throws HAL_SERVICE_LOAD, which names the place. */
export function parseMetaData(xml: string, agent: string): AgentDescription {
  const root = childOf(parse(xml, agent), "resource-agent");
  if (root === undefined) {
    throw loadError(`the meta-data of ${agent} have no element resource-agent`);
  }
  const parameters = childrenOf(childOf(root, "parameters"), "parameter");
  const actions = childrenOf(childOf(root, "actions"), "action");
  if (parameters.length > parametersMax) {
    throw loadError(
      `${agent} has ${parameters.length} parameters, at most ${parametersMax} are taken`,
    );
  }
  return {
    version: (textOf(root["version"]) || attributeOf(root, "version") || "0").slice(0, 64),
    description: describe(root, textCharsMax),
    configurationSchema: schemaOf(parameters, depthsOf(actions), agent),
    actions: actionsOf(actions, agent),
  };
}

function parse(xml: string, agent: string): Element {
  // A document type may name its grammar and nothing else: entities of its own can name files, and grow without end.
  if (/<!(ENTITY|ELEMENT|ATTLIST)/i.test(xml) || /<!DOCTYPE[^>[]*\[/i.test(xml)) {
    throw loadError(
      `the meta-data of ${agent} declare entities or elements; only a plain document type is taken`,
    );
  }
  const valid = XMLValidator.validate(xml);
  if (valid !== true) {
    const { line, col, msg } = valid.err;
    throw loadError(`the meta-data of ${agent} are no XML, line ${line}, column ${col}: ${msg}`);
  }
  try {
    return new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: "@",
      processEntities: false,
      parseTagValue: false,
      parseAttributeValue: false,
      maxNestedTags: depthMax,
    }).parse(xml) as Element;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw loadError(`the meta-data of ${agent} cannot be read: ${reason}`, error);
  }
}

function schemaOf(
  parameters: readonly Element[],
  depths: readonly number[],
  agent: string,
): JsonSchema {
  const named = parameters.map((parameter) => {
    const name = attributeOf(parameter, "name");
    if (!namePattern.test(name)) {
      throw loadError(
        `${agent} has a parameter with the name ${JSON.stringify(name.slice(0, 100))}`,
      );
    }
    return { name, parameter };
  });
  const required = named.filter(({ parameter }) => isRequired(parameter)).map(({ name }) => name);
  const properties = named.map(({ name, parameter }) => [name, propertyOf(parameter)] as const);
  const level = { enum: [0, ...depths], description: "How deep monitor looks. Default: 0" };
  return {
    type: "object",
    properties: Object.fromEntries([
      ...properties,
      ...(depths.length === 0 ? [] : [[checkLevel, level] as const]),
    ]),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** How deep its monitors can look, beside the plain look. */
function depthsOf(actions: readonly Element[]): readonly number[] {
  const depths = actions
    .filter((action) => attributeOf(action, "name") === "monitor")
    .map((action) => Number(attributeOf(action, "depth")))
    .filter((depth) => Number.isInteger(depth) && depth > 0);
  return [...new Set(depths)].sort((a, b) => a - b);
}

/** One with a default may be left out whatever else is said. */
function isRequired(parameter: Element): boolean {
  return (
    isTrue(attributeOf(parameter, "required")) &&
    attributeOf(childOf(parameter, "content"), "default") === ""
  );
}

function propertyOf(parameter: Element): JsonSchema {
  const content = childOf(parameter, "content");
  const fallback = attributeOf(content, "default");
  const notes = [
    sentence(describe(parameter, textCharsMax / 2)),
    isTrue(attributeOf(parameter, "unique")) ? "Unique on a node." : "",
    fallback === "" ? "" : `Default: ${fallback.slice(0, textCharsMax / 4)}`,
  ];
  const description = notes.filter((note) => note !== "").join(" ");
  const type = typeOf(content);
  if (type["type"] === "string" && secretName.test(attributeOf(parameter, "name"))) {
    return { anyOf: [type, secretReference], description };
  }
  return { ...type, description, ...(isReloadable(parameter) ? { "x-reloadable": true } : {}) };
}

/** OCF 1.1 says so; before it, a parameter that is explicitly not unique could be reloaded. */
function isReloadable(parameter: Element): boolean {
  const said = attributeOf(parameter, "reloadable");
  if (said !== "") return isTrue(said);
  return attributeOf(parameter, "unique") === "0";
}

function typeOf(content: Element | undefined): JsonSchema {
  const type = attributeOf(content, "type").toLowerCase();
  if (type === "boolean") return { type: "boolean" };
  if (type === "integer") return { type: "integer" };
  if (type === "select") {
    const values = childrenOf(content, "option").map((option) => attributeOf(option, "value"));
    if (values.length > 0) return { enum: values };
  }
  // Times and the like may be written with their unit or without.
  return type === "string" || type === "" ? { type: "string" } : { type: ["string", "number"] };
}

function actionsOf(actions: readonly Element[], agent: string): AgentDescription["actions"] {
  if (actions.length > actionsMax) {
    throw loadError(`${agent} has ${actions.length} actions, at most ${actionsMax} are taken`);
  }
  const found = new Map<string, { timeoutMs: number; intervalMs?: number }>();
  for (const action of actions) {
    const name = attributeOf(action, "name");
    if (!namePattern.test(name)) {
      throw loadError(`${agent} has an action with the name ${JSON.stringify(name.slice(0, 100))}`);
    }
    // Of several monitors the plain one comes first; the others are for roles and deeper checks.
    if (found.has(name)) continue;
    const intervalMs = durationMs(attributeOf(action, "interval"));
    found.set(name, {
      timeoutMs: Math.max(10, durationMs(attributeOf(action, "timeout")) ?? defaultTimeoutMs),
      ...(intervalMs === undefined || intervalMs === 0 ? {} : { intervalMs }),
    });
  }
  for (const needed of ["start", "stop", "monitor"]) {
    if (!found.has(needed))
      throw loadError(`${agent} has no action ${needed}, which every agent needs`);
  }
  return Object.fromEntries(found);
}

/** `20s`, `500ms`, `2min`, or seconds; at most an hour. Undefined when it is none. */
function durationMs(text: string): number | undefined {
  const match = /^(\d{1,9})\s*(ms|msec|us|s|sec|m|min|h|hr)?$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const [, count = "0", unit = "s"] = match;
  const unitMs: Readonly<Record<string, number>> = {
    us: 0.001,
    ms: 1,
    msec: 1,
    s: 1_000,
    sec: 1_000,
  };
  const scale = unitMs[unit] ?? (unit.startsWith("m") ? 60_000 : 3_600_000);
  return Math.min(3_600_000, Math.round(Number(count) * scale));
}

/** The short description, or the beginning of the long one. */
function describe(element: Element, charsMax: number): string {
  const text = textOf(element["shortdesc"]) || textOf(element["longdesc"]);
  return text.replace(/\s+/g, " ").trim().slice(0, charsMax);
}

function sentence(text: string): string {
  return text === "" || text.endsWith(".") ? text : `${text}.`;
}

function childOf(element: Element | undefined, name: string): Element | undefined {
  return childrenOf(element, name)[0];
}

/** An empty element is an empty text to the parser. */
function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  const value = element?.[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map((one: unknown) =>
    typeof one === "object" && one !== null ? (one as Element) : {},
  );
}

function attributeOf(element: Element | undefined, name: string): string {
  const value = element?.[`@${name}`];
  return typeof value === "string" ? decode(value).trim() : "";
}

function textOf(value: unknown): string {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof first === "string") return decode(first);
  const text = (first as Element | undefined)?.["#text"];
  return typeof text === "string" ? decode(text) : "";
}

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

/** The five entities that XML itself has. */
function decode(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (found, name: string) => entities[name] ?? found);
}

function isTrue(text: string): boolean {
  return text === "1" || text.toLowerCase() === "true" || text.toLowerCase() === "yes";
}
