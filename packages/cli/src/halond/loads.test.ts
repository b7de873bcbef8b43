import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Packages that a file of this package imports when it is loaded, itself or through other files. */
function packagesOf(file: URL, seen = new Set<string>()): ReadonlySet<string> {
  const found = new Set<string>();
  if (seen.has(file.href)) return found;
  seen.add(file.href);
  const imports = /^(?:import|export)\s+(?!type\b)[^;]*?from\s+"([^"]+)"/gm;
  for (const [, name = ""] of readFileSync(file, "utf8").matchAll(imports)) {
    const isOwn = name.startsWith(".");
    const others = isOwn ? packagesOf(new URL(name, file), seen) : [name];
    for (const other of others) if (!other.startsWith("node:")) found.add(other);
  }
  return found;
}

test("halond loads no client, YAML or table until a command needs it: a member would keep them in memory", () => {
  const packages = packagesOf(new URL("./main.ts", import.meta.url));
  expect([...packages].sort()).toEqual(["@halon/api/listen", "@halon/protocol", "commander"]);
});

test("what stop and a settings file need is told by the same look", () => {
  expect([...packagesOf(new URL("./stop.ts", import.meta.url))]).toContain("@halon/api");
  expect([...packagesOf(new URL("./settings-file.ts", import.meta.url))]).toContain("yaml");
});
