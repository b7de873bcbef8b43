import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { HalonError, isSecretReference, type Json, type JsonObject } from "@halon/protocol";

/** A secret is a password, a token or a key, not a file of data. */
const secretBytesMax = 65_536;

/**
 * Gives a configuration with the values of its secrets; they are read at the first call, and kept for the next.
 *
 * The result throws HAL_CONFIG_INVALID when a reference cannot be read. The error names the reference, never a value.
 */
export function configValuesOf(config: JsonObject): () => JsonObject {
  let values: JsonObject | undefined;
  return () => {
    values ??= hasSecret(config) ? (withValues(config) as JsonObject) : config;
    return values;
  };
}

/** Takes the values of an instance's secrets out of what it says, before that is an event, in the log, and shown. */
export interface Redactor {
  clean(text: string): string;
  cleanJson(value: Json): Json;
  /** It has taken another configuration. */
  learn(config: JsonObject, values: JsonObject): void;
}

/** Shorter ones are found in everything, and are no secrets. */
const textCharsMin = 4;
/** Values of earlier configurations are kept, since the instance may still speak of them. */
const textsMax = 100;
const replacement = "(secret)";

/** The redactor of an instance; its secrets are read when it says something, if they were not read before. */
export function redactorOf(spec: {
  readonly config: JsonObject;
  configValues(): JsonObject;
}): Redactor {
  let isLearned = !hasSecret(spec.config);
  let texts: string[] = [];
  const learn = (config: JsonObject, values: JsonObject) => {
    const found: string[] = [];
    collect(config, values, found);
    const fresh = found.filter((text) => text.length >= textCharsMin && !texts.includes(text));
    // The longest first: one may be a part of another.
    texts = [...texts, ...fresh].slice(-textsMax).sort((a, b) => b.length - a.length);
  };
  const known = (): readonly string[] => {
    if (isLearned) return texts;
    isLearned = true;
    try {
      learn(spec.config, spec.configValues());
    } catch {
      // Of an adopted process whose secret is not to be read any more: there is nothing to look for.
    }
    return texts;
  };
  const clean = (text: string) =>
    known().reduce((cleaned, secret) => cleaned.replaceAll(secret, replacement), text);
  const cleanJson = (value: Json): Json => {
    if (typeof value === "string") return clean(value);
    if (known().length === 0 || typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(cleanJson);
    const members = Object.entries(value as JsonObject);
    return Object.fromEntries(members.map(([name, member]) => [clean(name), cleanJson(member)]));
  };
  return { clean, cleanJson, learn };
}

/**
 * A configuration that a service gave, with references where it has the values of secrets that it was given.
 *
 * Other values in the place of secrets stay, and are refused by `secretProblem`.
 */
export function withReferences(
  given: Json,
  config: Json | undefined,
  values: Json | undefined,
): Json {
  if (isSecretReference(config)) return given === values ? config : given;
  if (typeof given !== "object" || given === null) return given;
  if (typeof config !== "object" || config === null) return given;
  const memberOf = (of: Json | undefined, name: string | number) =>
    typeof of === "object" && of !== null ? (of as JsonObject)[name] : undefined;
  if (Array.isArray(given)) {
    return given.map((member, at) =>
      withReferences(member, memberOf(config, at), memberOf(values, at)),
    );
  }
  const members = Object.entries(given as JsonObject).map(([name, member]) => [
    name,
    withReferences(member, memberOf(config, name), memberOf(values, name)),
  ]);
  return Object.fromEntries(members);
}

function hasSecret(value: Json | undefined): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isSecretReference(value) || Object.values(value).some((member) => hasSecret(member));
}

function withValues(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withValues);
  if (isSecretReference(value)) return read(value.$secret);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withValues(member as Json)]),
  );
}

function collect(config: Json | undefined, values: Json | undefined, texts: string[]): void {
  if (typeof config !== "object" || config === null) return;
  if (isSecretReference(config)) {
    if (typeof values === "string") texts.push(values);
    return;
  }
  for (const [name, member] of Object.entries(config)) {
    collect(member as Json, (values as JsonObject)[name], texts);
  }
}

function read(reference: string): string {
  const colon = reference.indexOf(":");
  const name = reference.slice(colon + 1);
  return reference.startsWith("env:") ? readVariable(name) : readFile(reference, name);
}

function readVariable(name: string): string {
  const value = process.env[name];
  if (value !== undefined) return value;
  throw problem(`env:${name}`, "halond has no such variable in its environment");
}

function readFile(reference: string, path: string): string {
  let file: number;
  try {
    // A pipe must not hold up the node until somebody writes into it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw problem(reference, adviceOn((error as NodeJS.ErrnoException).code ?? String(error)));
  }
  try {
    if (!fstatSync(file).isFile()) throw problem(reference, "it is not a regular file");
    const bytes = Buffer.alloc(secretBytesMax + 1);
    let length = 0;
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null);
      length += count;
      if (count === 0) break;
      if (length > secretBytesMax)
        throw problem(reference, `it has more than ${secretBytesMax} bytes`);
    }
    return textOf(bytes.subarray(0, length), reference);
  } catch (error) {
    if (error instanceof HalonError) throw error;
    throw problem(reference, (error as NodeJS.ErrnoException).code ?? "it cannot be read");
  } finally {
    closeSync(file);
  }
}

/** Editors and `echo` end a file with a newline that is no part of the secret. */
function textOf(bytes: Uint8Array, reference: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes)
      .replace(/\r?\n$/, "");
  } catch {
    throw problem(reference, "it is not text in UTF-8");
  }
}

function adviceOn(code: string): string {
  if (code === "ENOENT") return "there is no such file (ENOENT)";
  if (code === "EACCES") return "the user of halond may not read it (EACCES)";
  return code;
}

function problem(reference: string, what: string): HalonError {
  return new HalonError(
    "HAL_CONFIG_INVALID",
    `the secret ${reference} cannot be read on this node: ${what}`,
  );
}
