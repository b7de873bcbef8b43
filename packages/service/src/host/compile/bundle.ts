import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname, extname, relative, resolve } from "node:path";
import { HalonError } from "@halon/protocol";
import type { BuildFailure } from "esbuild";
import { limits } from "../limits.ts";
import type { Blob } from "./compiled.ts";

/** A bundled file, with the way back to its sources. */
export interface Bundle {
  readonly path: string;
  readonly blob: Blob;
  /** A source map as JSON, for messages only; it is not part of the blob. */
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
  // Loaded late and stopped early: it is a child process, which only apply needs.
  const esbuild = await import("esbuild");
  builds += 1;
  try {
    const result = await esbuild.build({
      entryPoints: [basename(file)],
      // Paths in the output are relative to this directory.
      absWorkingDir: dirname(file),
      outfile: "out.mjs",
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node20",
      external: ["@halon/*"],
      sourcemap: "external",
      legalComments: "none",
      logLevel: "silent",
    });
    const code = result.outputFiles.find((output) => output.path.endsWith(".mjs"));
    const map = result.outputFiles.find((output) => output.path.endsWith(".map"));
    return {
      path: file,
      blob: blobOf(code?.contents ?? new Uint8Array(), file),
      sourceMap: map?.text ?? "{}",
    };
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
