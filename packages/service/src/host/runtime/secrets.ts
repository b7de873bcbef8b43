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
    values ??= withValues(config) as JsonObject;
    return values;
  };
}

/** Texts of the secrets in a configuration, for those who must keep them out of what they tell. */
export function secretTextsOf(config: JsonObject, values: JsonObject): readonly string[] {
  const texts: string[] = [];
  collect(config, values, texts);
  return texts;
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
