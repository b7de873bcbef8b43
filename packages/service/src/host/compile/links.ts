import { mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const packages = ["@halon/service", "@halon/rules", "@halon/protocol"];

/**
 * Makes `@halon/*` of compiled files resolve, from `directory` and below, to the packages that run here.
 *
 * Call it at every start of `halond`: the packages may stand elsewhere than at the last one.
 */
export function linkPackages(directory: string): void {
  const { resolve } = createRequire(import.meta.url);
  mkdirSync(join(directory, "node_modules", "@halon"), { recursive: true, mode: 0o700 });
  for (const name of packages) {
    const link = join(directory, "node_modules", name);
    const target = dirname(resolve(`${name}/package.json`));
    if (linkTarget(link) === target) continue;
    rmSync(link, { recursive: true, force: true });
    symlinkSync(target, link, "dir");
  }
}

function linkTarget(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    // Not there, or not a link: it is made anew.
    return null;
  }
}
