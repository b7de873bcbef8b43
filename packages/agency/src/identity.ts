import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { HalonError } from "@halon/protocol";
import { z } from "zod";
import type { MemberOptions } from "./member.ts";

const Pool = z.record(z.string(), z.string());

const Identity = z.strictObject({
  format: z.literal(1),
  /** `AGNT-<uuid>`, for ever. */
  id: z.string().regex(/^AGNT-[0-9a-f-]{36}$/),
  /** Null while the agency is not complete. */
  cluster: z.string().nullable(),
  size: z.number().int(),
  /** Ids and addresses as far as they are known; never changed again once it has `size` members. */
  pool: Pool,
  /** The configuration at index 0; empty for a member that was added later. */
  founders: Pool,
  /** Addresses to ask. */
  join: z.array(z.string()),
  /** Number of changes. */
  version: z.number().int(),
});

/** Who a member is, kept in `agency.json`. */
export type Identity = z.infer<typeof Identity>;

type GivenIdentity = NonNullable<MemberOptions["given"]>;

const fileName = "agency.json";
const checksumLength = 8;

/** Another member, of no agency yet. */
export function newIdentity(
  advertise: string,
  size: number,
  join: readonly string[],
  id = `AGNT-${randomUUID()}`,
): Identity {
  const pool = { [id]: advertise };
  return { format: 1, id, cluster: null, size, pool, founders: {}, join: [...join], version: 1 };
}

/** The same member, of an agency that is known before anything is asked. */
export function knownIdentity(
  identity: Identity,
  { cluster, founders }: Pick<GivenIdentity, "cluster" | "founders">,
): Identity {
  // An id of another form would be refused at the next start.
  return Identity.parse({ ...identity, cluster, pool: founders, founders });
}

/** Throws HAL_DATA_DIR_INVALID when the directory is another member's, or of another cluster. */
export function checkGiven(dataDir: string, found: Identity, given: GivenIdentity): void {
  const { id, cluster } = found;
  if (id === given.id && cluster === given.cluster) return;
  const isAs = `member ${id} of ${cluster === null ? "no agency yet" : `cluster ${cluster}`}`;
  throw new HalonError(
    "HAL_DATA_DIR_INVALID",
    `${join(dataDir, fileName)} is of ${isAs}; member ${given.id} of cluster ${given.cluster} was to start here. Start it with the data directory that is its own, or restore the right ${fileName}.`,
  );
}

/** Id of the agency that these members make. */
export function clusterOf(pool: Readonly<Record<string, string>>): string {
  return createHash("sha256").update(Object.keys(pool).sort().join("\n")).digest("hex");
}

/** Null when there is none. Errors: HAL_DATA_DIR_INVALID, HAL_DATA_DIR_VERSION. */
export function readIdentity(dataDir: string): Identity | null {
  const path = join(dataDir, fileName);
  if (!existsSync(path)) return null;
  const [checksum = "", body = ""] = readFileSync(path, "utf8").split("\n");
  if (checksum !== checksumOf(body)) throw invalid(path, "its checksum is wrong");
  const parsed: unknown = JSON.parse(body);
  const format = z.object({ format: z.number() }).safeParse(parsed);
  if (format.success && format.data.format > 1) {
    throw new HalonError(
      "HAL_DATA_DIR_VERSION",
      `${path} has format ${format.data.format}; this halond reads format 1. Use the newer halond.`,
    );
  }
  const identity = Identity.safeParse(parsed);
  if (!identity.success) throw invalid(path, z.prettifyError(identity.error));
  return identity.data;
}

/** Durable when it returns. */
export function writeIdentity(dataDir: string, identity: Identity): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, fileName);
  const body = JSON.stringify(identity);
  const file = openSync(`${path}.tmp`, "w", 0o600);
  try {
    writeSync(file, `${checksumOf(body)}\n${body}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.tmp`, path);
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(checksumLength, "0");
}

function invalid(path: string, what: string): HalonError {
  return new HalonError(
    "HAL_DATA_DIR_INVALID",
    `${path} cannot be used: ${what}. Restore it from a backup; or remove the data directory, remove this member from the agency (halonctl agency member remove) and add it anew.`,
  );
}
