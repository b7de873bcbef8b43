import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, relative, resolve } from "node:path";
import { HalonError } from "@halon/protocol";
import type { BuildFailure, BuildOptions, Plugin } from "esbuild";
import { limits } from "../limits.ts";
import type { Blob } from "./compiled.ts";

/** A bundled file, with the way back to its sources. */
export interface Bundle {
  readonly path: string;
  /** A module is imported, a script is run in the realm of rule files. */
  readonly form: "module" | "script";
  readonly blob: Blob;
  /** A source map as JSON, for messages; a script has it in the blob too. */
  readonly sourceMap: string;
}

const codeExtensions = new Set([".ts", ".mts", ".js", ".mjs"]);
let builds = 0;

/**
 * Bundles a file and what it imports, except for `@halon/*`, into one module.
 *
 * Equal sources in equal layout give equal bytes wherever they stand. Throws HAL_COMPILE_FAILED with file and line.
 */
export async function bundleFile(path: string): Promise<Bundle> {
  const file = resolve(path);
  const { code, map } = await build(file, {
    outfile: "out.mjs",
    format: "esm",
    platform: "node",
    external: ["@halon/*"],
    sourcemap: "external",
  });
  return { path: file, form: "module", blob: blobOf(code, file), sourceMap: map ?? "{}" };
}

/**
 * Bundles a rule file and the files beside it that it imports into one script, which asks for `@halon/rules` alone.
 *
 * The same holds of it as of `bundleFile`. What only its text can tell is refused with file and line: imports of anything
 * else, `import()`, `eval`, two rules of one name. HAL_TOO_LARGE when a file of it has over 1 MiB; it is not read then.
 */
export async function bundleRuleFile(path: string): Promise<Bundle> {
  const file = resolve(path);
  const large = await tooLarge(file);
  if (large !== null) throw new HalonError("HAL_TOO_LARGE", large);
  const { code } = await build(file, {
    outfile: "out.cjs",
    format: "cjs",
    platform: "neutral",
    sourcemap: "inline",
    sourcesContent: false,
    plugins: [rulesOnly],
    logOverride: {
      "unsupported-dynamic-import": "error",
      "unsupported-require-call": "error",
      "direct-eval": "error",
      "duplicate-object-key": "error",
      "empty-import-meta": "error",
    },
  });
  const text = new TextDecoder().decode(code);
  const map = text.slice(text.lastIndexOf(mapComment) + mapComment.length);
  const sourceMap = Buffer.from(map, "base64").toString();
  return { path: file, form: "script", blob: blobOf(code, file), sourceMap };
}

const mapComment = "//# sourceMappingURL=data:application/json;base64,";

const rulesOnly: Plugin = {
  name: "rules-only",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, kind }) => {
      if (kind === "entry-point") return undefined;
      if (kind === "dynamic-import") return { errors: [{ text: notThere("import()") }] };
      if (path === "@halon/rules") return { path, external: true };
      return /^\.\.?\//.test(path) ? undefined : { errors: [{ text: notThere(path) }] };
    });
    onLoad({ filter: /.*/ }, async ({ path }) => {
      const large = await tooLarge(path);
      return large === null ? undefined : { errors: [{ text: large }] };
    });
  },
};

function notThere(what: string): string {
  return `${what} is not there for rule files; they import @halon/rules and files beside them.`;
}

/** What is wrong with the size of the file; null when nothing is. A missing file is told by who reads it. */
async function tooLarge(file: string): Promise<string | null> {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  if (size <= limits.ruleFileBytesMax) return null;
  return `${file} has ${size} bytes, and a rule file may have ${limits.ruleFileBytesMax}. Make it smaller.`;
}

async function build(
  file: string,
  options: BuildOptions,
): Promise<{ readonly code: Uint8Array; readonly map: string | undefined }> {
  // Loaded late and stopped early: it is a child process, which only apply needs.
  const esbuild = await import("esbuild");
  builds += 1;
  try {
    const { outputFiles = [] } = await esbuild.build({
      entryPoints: [basename(file)],
      // Paths in the output are relative to this directory.
      absWorkingDir: dirname(file),
      bundle: true,
      write: false,
      target: "node20",
      legalComments: "none",
      logLevel: "silent",
      ...options,
    });
    const code = outputFiles.find((output) => !output.path.endsWith(".map"));
    const map = outputFiles.find((output) => output.path.endsWith(".map"));
    return { code: code?.contents ?? new Uint8Array(), map: map?.text };
  } catch (error) {
    throw compileError(file, error);
  } finally {
    builds -= 1;
    if (builds === 0) await esbuild.stop();
  }
}

/** A file that goes along as it is, or bundled when it is code. */
export async function blobOfFile(path: string): Promise<Blob> {
  if (codeExtensions.has(extname(path))) return (await bundleFile(path)).blob;
  try {
    return blobOf(await readFile(path), path);
  } catch (cause) {
    const message = `${path} cannot be read: ${(cause as Error).message}. Correct the path in file(…).`;
    throw new HalonError("HAL_CONFIG_INVALID", message, { cause });
  }
}

function blobOf(bytes: Uint8Array, path: string): Blob {
  if (bytes.length > limits.blobBytesMax) {
    const message = `${path} has ${bytes.length} bytes when compiled, at most ${limits.blobBytesMax} are allowed.`;
    throw new HalonError("HAL_TOO_LARGE", message);
  }
  return { hash: createHash("sha256").update(bytes).digest("hex"), bytes };
}

function compileError(file: string, error: unknown): HalonError {
  const first = (error as Partial<BuildFailure>).errors?.[0];
  if (first === undefined) {
    return new HalonError("HAL_COMPILE_FAILED", `${file} does not compile: ${String(error)}`, {
      cause: error,
    });
  }
  const { location } = first;
  const where =
    location === null
      ? file
      : `${resolve(dirname(file), location.file)}:${location.line}:${location.column + 1}`;
  const message = `${where} does not compile: ${first.text} Correct it and apply again.`;
  return new HalonError("HAL_COMPILE_FAILED", message, {
    details: { file: relative(dirname(file), file) },
  });
}
