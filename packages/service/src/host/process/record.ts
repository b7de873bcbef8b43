import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HalonError, ServiceManifest } from "@halon/protocol";
import { z } from "zod";

const Acquired = z.strictObject({
  kind: z.string(),
  id: z.string(),
  attributes: z.record(z.string(), z.json()),
});

/** `<directory>/process.json`: all that the next `halond` needs to go on with a process that outlived this one. */
export const ProcessRecord = z.strictObject({
  format: z.literal(1),
  pid: z.number().int().min(2),
  startTime: z.number().int().min(0),
  bootId: z.string(),
  /** The services directory it was started under. */
  home: z.string(),
  command: z.array(z.string()),
  node: z.string(),
  service: z.string(),
  instance: z.string(),
  type: z.string(),
  version: z.string(),
  manifest: ServiceManifest,
  config: z.record(z.string(), z.json()),
  configHash: z.string(),
  /** Size of the output file when it was started: what stands before is of an earlier instance. */
  outputStart: z.number().int().min(0),
  /** Null until it was ready; then with the resource it holds, if any. */
  ready: z.strictObject({ acquired: Acquired.nullable() }).nullable(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

/** A resource that an instance took when it became ready. */
export type Acquired = z.infer<typeof Acquired>;

const fileName = "process.json";

/**
 * Replaces the record in one step. Without fsync: after a crash of the machine no process is left to find, and
 * after one of `halond` alone the kernel still has the bytes.
 */
export function writeRecord(directory: string, record: ProcessRecord): void {
  const temporary = join(directory, `${fileName}.tmp`);
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, join(directory, fileName));
}

export function removeRecord(directory: string): void {
  rmSync(join(directory, fileName), { force: true });
}

/** Undefined when there is none. Throws HAL_DATA_DIR_INVALID when it cannot be read. */
export function readRecord(directory: string): ProcessRecord | undefined {
  const path = join(directory, fileName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new HalonError("HAL_DATA_DIR_INVALID", `cannot read ${path}: ${code}`, { cause: error });
  }
  try {
    return ProcessRecord.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new HalonError("HAL_DATA_DIR_INVALID", `${path} is not a pid record: ${reason}`, {
      cause: error,
    });
  }
}
