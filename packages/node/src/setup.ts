import { createHash, randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { canonicalJson, HalonError, Name, NodeRole } from "@halon/protocol";
import { z } from "zod";

const setupFormat = 1;

const Setup = z.strictObject({
  format: z.literal(setupFormat),
  name: Name,
  role: NodeRole,
  /** Null until a satellite has joined. */
  clusterId: z.string().nullable(),
  /** Of the last start; grows with each. */
  incarnation: z.number().int(),
  /** `host:port` of the tracking node, as last known. */
  leader: z.string().nullable(),
});
export type Setup = z.infer<typeof Setup>;

const SetupFile = z.strictObject({ setup: z.unknown(), checksum: z.string() });

/**
 * Reads or makes `setup.json`, with the incarnation of this start.
 *
 * A damaged file stops the start: a fresh cluster over an old one's data would lose it. Errors: HAL_DATA_DIR_INVALID,
 * HAL_DATA_DIR_VERSION, HAL_CONFLICT.
 */
export function loadSetup(
  dataDir: string,
  wanted: { readonly name: string; readonly role: Setup["role"]; readonly now: number },
): Setup {
  const path = join(dataDir, "setup.json");
  const known = read(path);
  if (known !== undefined) check(path, known, wanted);
  const setup: Setup = {
    format: setupFormat,
    name: wanted.name,
    role: wanted.role,
    clusterId: known?.clusterId ?? (wanted.role === "tracking" ? randomUUID() : null),
    incarnation: Math.max((known?.incarnation ?? 0) + 1, wanted.now),
    leader: known?.leader ?? null,
  };
  saveSetup(dataDir, setup);
  return setup;
}

/** Replaces the file atomically: written aside, fsynced, renamed, directory fsynced. */
export function saveSetup(dataDir: string, setup: Setup): void {
  const path = join(dataDir, "setup.json");
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, `${JSON.stringify({ setup, checksum: checksum(setup) }, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), "r");
  fsyncSync(directory);
  closeSync(directory);
}

function read(path: string): Setup | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw invalid(path, (cause as Error).message, cause);
  }
  let parsed: z.infer<typeof SetupFile>;
  try {
    parsed = SetupFile.parse(JSON.parse(text));
  } catch (cause) {
    throw invalid(path, "it is not the JSON that halond writes", cause);
  }
  const format = (parsed.setup as { format?: unknown } | null)?.format;
  if (typeof format === "number" && format !== setupFormat) {
    const message = `${path} has format ${format}, this halond reads format ${setupFormat}. Start the version of halond that wrote it.`;
    throw new HalonError("HAL_DATA_DIR_VERSION", message);
  }
  const setup = Setup.safeParse(parsed.setup);
  if (!setup.success) throw invalid(path, z.prettifyError(setup.error));
  if (parsed.checksum !== checksum(setup.data))
    throw invalid(path, "its checksum does not fit its content");
  return setup.data;
}

function check(
  path: string,
  known: Setup,
  wanted: { readonly name: string; readonly role: string },
): void {
  if (known.name !== wanted.name) {
    const message = `${path} is of node ${known.name}, and this one was told to be ${wanted.name}. Start it with --name ${known.name}, or name another --data-dir.`;
    throw new HalonError("HAL_CONFLICT", message);
  }
  if (known.role !== wanted.role) {
    const remedy = known.role === "tracking" ? "without --join" : "with --join";
    const message = `${path} is of a ${known.role} node, and this one was told to be a ${wanted.role} node. Start it ${remedy}, or name another --data-dir.`;
    throw new HalonError("HAL_CONFLICT", message);
  }
}

function invalid(path: string, reason: string, cause?: unknown): HalonError {
  const message = `${path} is damaged: ${reason}. Restore it from a backup, or move the whole directory away to start afresh.`;
  return new HalonError("HAL_DATA_DIR_INVALID", message, { cause });
}

function checksum(setup: Setup): string {
  return createHash("sha256").update(canonicalJson(setup)).digest("hex");
}
