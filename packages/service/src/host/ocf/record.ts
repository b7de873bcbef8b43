import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type JsonObject, ServiceManifest } from "@halon/protocol";
import { z } from "zod";
import { bootId } from "../process/proc.ts";
import type { RunnerSpec } from "../runner.ts";

/** `<directory>/ocf.json`: what the next `halond` needs to go on with a resource. */
export interface ResourceRecord {
  readonly format: 1;
  readonly bootId: string;
  /** The services directory it was started under. */
  readonly home: string;
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  readonly manifest: ServiceManifest;
  /** With references in the place of secrets. */
  readonly config: JsonObject;
  readonly configHash: string;
  /** Of an exclusive one, which runs under a keeper. */
  readonly lease?: { readonly token: number; readonly leaseMs: number } | undefined;
}

const RecordFile: z.ZodType<ResourceRecord> = z.strictObject({
  format: z.literal(1),
  bootId: z.string(),
  home: z.string(),
  node: z.string(),
  service: z.string(),
  instance: z.string(),
  manifest: ServiceManifest,
  config: z.record(z.string(), z.json()),
  configHash: z.string(),
  lease: z.strictObject({ token: z.number(), leaseMs: z.number() }).optional(),
});

const fileName = "ocf.json";

/** Writes the record in one step. Throws when the disk does not take it. */
export function writeRecord(spec: RunnerSpec, home: string): void {
  const { node, service, instance, manifest, config, configHash, directory, lease } = spec;
  const at = { bootId: bootId(), home, node, service, instance };
  const record: ResourceRecord = {
    format: 1,
    ...at,
    manifest,
    config,
    configHash,
    ...(lease === undefined ? {} : { lease: { token: lease.token, leaseMs: lease.leaseMs } }),
  };
  const temporary = join(directory, `${fileName}.tmp`);
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, join(directory, fileName));
}

/** Takes the record away, where the disk lets it; one that stays is looked into by the next `halond`. */
export function removeRecord(directory: string): void {
  try {
    rmSync(join(directory, fileName), { force: true });
  } catch {
    // The disk has become read-only, or the directory something else; its monitor tells the next halond.
  }
}

/** What stands in a service's directory. */
export type RecordFound =
  | { readonly type: "none" }
  | { readonly type: "record"; readonly record: ResourceRecord }
  | { readonly type: "damaged"; readonly reason: string };

/** Reads the record of a service's directory. */
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
  return { type: "damaged", reason: `${path} is no record: ${z.prettifyError(parsed.error)}` };
}
