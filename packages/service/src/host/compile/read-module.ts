import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { HalonError, type JsonObject } from "@halon/protocol";
import { limits } from "../limits.ts";
import { threadEntry } from "../thread-entry.ts";
import { workerEnvironment } from "../worker/spare.ts";
import type { Bundle } from "./bundle.ts";
import { linkPackages } from "./links.ts";

/** What the thread is given. */
export interface CompiledFile {
  readonly form: Bundle["form"];
  readonly url: string;
  /** Of a rule file. */
  readonly options?: JsonObject;
}

type Answer =
  | { readonly type: "value"; readonly value?: unknown }
  | {
      readonly type: "error";
      readonly name?: string;
      readonly message: string;
      readonly code?: string;
      readonly stack?: string;
    };

/**
 * What a compiled file exports by default, as JSON; `options` are those of a rule file.
 *
 * It is loaded in a throwaway thread: a file that spins or leaks costs a deadline and nothing else.
 * Throws HAL_COMPILE_FAILED when it throws or does not end, and the file's own HAL_CONFIG_INVALID.
 */
export async function readModule(bundle: Bundle, options?: JsonObject): Promise<unknown> {
  const directory = await mkdtemp(join(tmpdir(), "halon-compile-"));
  try {
    linkPackages(directory);
    const file = join(directory, `${bundle.blob.hash}.mjs`);
    await writeFile(file, bundle.blob.bytes);
    const { form } = bundle;
    const compiled = { form, url: pathToFileURL(file).href };
    const given = options === undefined ? compiled : { ...compiled, options };
    const answer = await load(bundle, given);
    if (answer.type === "value") return answer.value;
    throw loadError(bundle, answer);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function load(bundle: Bundle, compiled: CompiledFile): Promise<Answer> {
  return new Promise((settle, reject) => {
    const worker = new Worker(threadEntry("compile/read-thread"), {
      workerData: compiled,
      env: workerEnvironment(process.env),
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: limits.readModuleMemoryMb },
      stdout: true,
      stderr: true,
    });
    worker.stdout.resume();
    worker.stderr.resume();
    const fail = (what: string) => {
      const message = `${bundle.path} ${what}. Its top level must only define and export.`;
      reject(new HalonError("HAL_COMPILE_FAILED", message));
    };
    const timer = setTimeout(() => {
      fail(`does not load within ${limits.readModuleMs} ms`);
      void worker.terminate();
    }, limits.readModuleMs);
    worker.on("message", (text: unknown) => settle(JSON.parse(String(text)) as Answer));
    worker.on("error", (error) => fail(`fails while it loads: ${error.message}`));
    worker.on("exit", (code) => {
      clearTimeout(timer);
      fail(`ended the thread with exit code ${code} while it was loaded`);
    });
  });
}

function loadError(bundle: Bundle, answer: Extract<Answer, { type: "error" }>): HalonError {
  const where = whereOf(bundle, answer.stack ?? "");
  if (answer.code === "HAL_CONFIG_INVALID" || answer.code === "HAL_NOT_BUILT") {
    return new HalonError(answer.code, `${where}: ${answer.message}`);
  }
  const what = `${answer.name ?? "Error"}: ${answer.message}`;
  const message = `${where} throws while it loads: ${what}. Correct it and apply again.`;
  return new HalonError("HAL_COMPILE_FAILED", message);
}

/** File and line in the sources of the topmost stack frame inside the bundle. */
function whereOf(bundle: Bundle, stack: string): string {
  const frame = new RegExp(`${bundle.blob.hash}\\.mjs:(\\d+):(\\d+)`).exec(stack);
  if (frame === null) return bundle.path;
  const map = new SourceMap(JSON.parse(bundle.sourceMap));
  const entry = map.findEntry(Number(frame[1]) - 1, Number(frame[2]) - 1);
  if (!("originalSource" in entry)) return bundle.path;
  return `${resolve(dirname(bundle.path), entry.originalSource)}:${entry.originalLine + 1}`;
}
