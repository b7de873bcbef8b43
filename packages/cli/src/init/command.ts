import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { HalonError } from "@halon/protocol";
import type { Command } from "commander";
import type { Io } from "../io.ts";
import { npm, ownPackages, pack } from "./packages.ts";
import { projectFiles } from "./templates.ts";

const devDependencies = {
  "@types/node": "^20.19.0",
  tsx: "4.23.15",
  typescript: "6.0.3",
};

/** Its newer versions name optional packages that are not published for every platform: `npm ci` refuses those. */
const overrides = { "msgpackr-extract": "3.0.3" };

/** `init`. */
export function addInit(program: Command, io: Io): void {
  program
    .command("init")
    .description("a project of your own: typed service, rule, cluster file, test")
    .argument("<directory>")
    .action(async (directory: string) => {
      const say = program.opts()["quiet"] === true ? () => undefined : io.err;
      await init(resolve(directory), say);
      const shown = directory.replace(/\/+$/, "");
      say(
        `Next: cd ${shown} && npm ci && npx tsc && npm test && npx halond --agency-size 1 --apply cluster.ts\nOr, with a cluster that runs: npx halonctl apply -f cluster.ts\n`,
      );
    });
}

/** Writes the project; `HAL_CONFLICT` when something is in the directory. */
export async function init(directory: string, say: (text: string) => void): Promise<void> {
  await requireEmpty(directory);
  const packages = ownPackages();
  const vendor = join(directory, "vendor");
  await mkdir(vendor, { recursive: true });
  say(`packing ${packages.length} packages of Halon\n`);
  const tarballs = await pack(packages, vendor);
  for (const [name, text] of Object.entries(projectFiles())) {
    await writeFile(join(directory, name), text);
  }
  const manifest = packageJson(basename(directory), tarballs);
  await writeFile(join(directory, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  say("writing package-lock.json\n");
  const flags = ["--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"];
  await npm(["install", ...flags], directory);
}

function packageJson(name: string, tarballs: Readonly<Record<string, string>>) {
  const dependencies = Object.entries(tarballs).map(([dependency, file]) => [
    dependency,
    `file:vendor/${file}`,
  ]);
  return {
    name:
      name
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, "-")
        .replace(/^-+|-+$/g, "") || "cluster",
    private: true,
    version: "0.1.0",
    type: "module",
    engines: { node: ">=20.19" },
    scripts: { test: "node --import tsx --test hello.test.ts", typecheck: "tsc" },
    dependencies: Object.fromEntries(dependencies),
    devDependencies,
    overrides,
  };
}

async function requireEmpty(directory: string): Promise<void> {
  const entries = await entriesOf(directory);
  if (entries.length === 0) return;
  throw new HalonError(
    "HAL_CONFLICT",
    `${directory} is not empty: it has ${entries.slice(0, 3).join(", ")}. Name a directory that is empty or not there.`,
  );
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") return [`a file of that name`];
    throw error;
  }
}
