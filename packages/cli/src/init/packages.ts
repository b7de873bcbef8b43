import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { HalonError } from "@halon/protocol";
import { z } from "zod";

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/** A package of Halon that a project needs. */
export interface LocalPackage {
  readonly name: string;
  readonly directory: string;
}

const Packed = z.array(z.object({ name: z.string(), filename: z.string() }));

/** This package and all of Halon that it needs, where they stand on this machine. */
export function ownPackages(): readonly LocalPackage[] {
  const found = new Map<string, LocalPackage>();
  const visit = (manifestPath: string) => {
    const manifest = Manifest.parse(JSON.parse(readFileSync(manifestPath, "utf8")));
    const directory = dirname(manifestPath);
    if (found.has(manifest.name)) return;
    if (!existsSync(join(directory, "dist", "index.js"))) {
      throw new HalonError(
        "HAL_CONFLICT",
        `The package ${manifest.name} in ${directory} is not built. Run \`npm run build\` first.`,
      );
    }
    found.set(manifest.name, { name: manifest.name, directory });
    const { resolve } = createRequire(manifestPath);
    for (const name of Object.keys(manifest.dependencies)) {
      if (name.startsWith("@halon/")) visit(resolve(`${name}/package.json`));
    }
  };
  visit(fileURLToPath(new URL("../../package.json", import.meta.url)));
  return [...found.values()];
}

/** Packs the packages into the directory; gives the file name of each. */
export async function pack(
  packages: readonly LocalPackage[],
  destination: string,
): Promise<Readonly<Record<string, string>>> {
  const directories = packages.map(({ directory }) => directory);
  const output = await npm(
    ["pack", "--json", "--ignore-scripts", "--pack-destination", destination, ...directories],
    destination,
  );
  // Older versions of npm put the scope into the name with a slash.
  return Object.fromEntries(
    Packed.parse(JSON.parse(output)).map(({ name, filename }) => [
      name,
      filename.replace("@", "").replace("/", "-"),
    ]),
  );
}

/** Runs npm; its output is in the error when it fails. */
export async function npm(args: readonly string[], directory: string): Promise<string> {
  const options = { cwd: directory, maxBuffer: 16 * 1024 * 1024 };
  try {
    return (await promisify(execFile)("npm", args, options)).stdout;
  } catch (cause) {
    throw npmFailure(args, cause);
  }
}

function npmFailure(args: readonly string[], cause: unknown): HalonError {
  const { stderr } = cause as { readonly stderr?: string };
  const said = stderr?.split("\n").filter((line) => line.startsWith("npm error")) ?? [];
  const why = said.slice(0, 2).join(" ") || String(cause);
  return new HalonError("HAL_FAILED", `\`npm ${args[0]}\` failed: ${why}`, { cause });
}
