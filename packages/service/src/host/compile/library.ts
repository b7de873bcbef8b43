import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { HalonError } from "@halon/protocol";

/** Begins the name of a rule file that ships with Halon: `halon:rolling-restart`. */
const scheme = "halon:";
const ending = ".rules.ts";

/** Names of the rule files that ship with Halon, as a cluster file names them, sorted. */
export function libraryNames(): readonly string[] {
  return readdirSync(libraryDirectory())
    .filter((file) => file.endsWith(ending))
    .map((file) => `${scheme}${file.slice(0, -ending.length)}`)
    .sort();
}

/** Whether the text names a rule file of the library, one that there is or not. */
export function isOfLibrary(text: string): boolean {
  return text.startsWith(scheme);
}

/** The path of the rule file. Throws HAL_CONFIG_INVALID with the names that there are; `where` is who asked for it. */
export function libraryPath(name: string, where: string): string {
  const names = libraryNames();
  if (names.includes(name))
    return join(libraryDirectory(), `${name.slice(scheme.length)}${ending}`);
  const message = `${where}: the library has no rules "${name}". It has ${names.join(", ")}.`;
  throw new HalonError("HAL_CONFIG_INVALID", message);
}

function libraryDirectory(): string {
  const { resolve } = createRequire(import.meta.url);
  return join(dirname(resolve("@halon/rules/package.json")), "library");
}
