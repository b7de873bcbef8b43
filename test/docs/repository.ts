import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The top of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

export function read(path: string): string {
  return readFileSync(`${root}${path}`, "utf8");
}

export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(read(path)) as Record<string, unknown>;
}

/** Scripts of the root package.json, by name. */
export function scripts(): Readonly<Record<string, string>> {
  return readJson("package.json")["scripts"] as Record<string, string>;
}

/** Files that are tracked, or new and not ignored, by a git pathspec. */
export function files(...patterns: readonly string[]): readonly string[] {
  const listing = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", ...patterns],
    { cwd: root, encoding: "utf8" },
  );
  return listing.split("\n").filter((line) => line !== "");
}

/** The lines of a section of a Markdown file, from its heading to the next one of the same or a higher level. */
export function section(markdown: string, heading: string): readonly string[] {
  const lines = markdown.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) return [];
  const level = heading.indexOf(" ");
  const length = lines
    .slice(start + 1)
    .findIndex((line) => /^#+ /.test(line) && line.indexOf(" ") <= level);
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
}

/** The first cells of the first table of a section. */
export function firstColumn(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.split("|")[1]?.trim() ?? "");
}
