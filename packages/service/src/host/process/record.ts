import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type JsonObject, ServiceManifest } from "@halon/protocol";
import { z } from "zod";

/** How a service type describes its OS process. */
export type ProcessManifest = NonNullable<ServiceManifest["process"]>;

/** A resource that an instance took when it became ready. */
export interface Acquired {
  readonly kind: string;
  readonly id: string;
  readonly attributes: JsonObject;
}

/** `<directory>/process.json`: all that the next `halond` needs to go on with a process that outlived this one. */
export interface ProcessRecord {
  readonly format: 1;
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
  /** The services directory it was started under. */
  readonly home: string;
  readonly command: readonly string[];
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  readonly type: string;
  readonly version: string;
  readonly manifest: ServiceManifest;
  readonly config: JsonObject;
  readonly configHash: string;
  /** Size of the output file when it was started: what stands before is of an earlier instance. */
  readonly outputStart: number;
  /** With the resource it holds, if any; null until it was ready, and where readiness can be asked for again. */
  readonly ready: { readonly acquired: Acquired | null } | null;
  /** Of an exclusive instance: the process that ends it with its lease. */
  readonly keeper?: {
    readonly pid: number;
    readonly startTime: number;
    readonly token: number;
    readonly leaseMs: number;
  };
}

const JsonMembers = z.record(z.string(), z.json());

const RecordFile: z.ZodType<ProcessRecord> = z.strictObject({
  format: z.literal(1),
  pid: z.number().int().min(2),
  startTime: z.number().int().min(0),
  bootId: z.string(),
  home: z.string(),
  command: z.array(z.string()),
  node: z.string(),
  service: z.string(),
  instance: z.string(),
  type: z.string(),
  version: z.string(),
  manifest: ServiceManifest,
  config: JsonMembers,
  configHash: z.string(),
  outputStart: z.number().int().min(0),
  ready: z
    .strictObject({
      acquired: z
        .strictObject({ kind: z.string(), id: z.string(), attributes: JsonMembers })
        .nullable(),
    })
    .nullable(),
  keeper: z
    .strictObject({
      pid: z.number().int().min(2),
      startTime: z.number().int().min(0),
      token: z.number().int().min(1),
      leaseMs: z.number().int().min(1),
    })
    .exactOptional(),
});

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

/** Takes the record away, where the disk lets it; one that stays is dropped by the next `halond`. */
export function removeRecord(directory: string): void {
  const ended = join(directory, "process.ended.json");
  try {
    renameSync(join(directory, fileName), ended);
  } catch {
    // There was none, or the disk has become read-only; the end of the process is reported next all the same.
    return;
  }
  // Not in the caller's time: to unlink a file that the kernel is just writing out waits for the disk.
  rm(ended, { force: true }).catch(() => undefined);
}

/** What stands in a service's directory. */
export type RecordFound =
  | { readonly type: "none" }
  | { readonly type: "record"; readonly record: ProcessRecord }
  | { readonly type: "damaged"; readonly reason: string };

export function readRecord(directory: string): RecordFound {
  const path = join(directory, fileName);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { type: "none" };
    return { type: "damaged", reason: `${path} cannot be read: ${message}` };
  }
  const parsed = RecordFile.safeParse(value);
  if (parsed.success) return { type: "record", record: parsed.data };
  return { type: "damaged", reason: `${path} is no pid record: ${z.prettifyError(parsed.error)}` };
}
