import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HalonError } from "@halon/protocol";
import { z } from "zod";
import type { Setup } from "../core/bootstrap-setup.ts";

const Member = z.object({ id: z.string(), cluster: z.string().nullable() });

/** Stops a first start over the data of an earlier node. Errors: HAL_DATA_DIR_INVALID. */
export function requireNoData(dataDir: string): void {
  const found = ["agency.json", "agency", "journal"].find((name) => hasData(join(dataDir, name)));
  if (found === undefined) return;
  const message = `${join(dataDir, found)} has data and ${join(dataDir, "setup.json")} is missing. Restore it from a backup, or begin afresh without the data: halond start --forget-setup`;
  throw new HalonError("HAL_DATA_DIR_INVALID", message);
}

/** Stops a start whose setup and agency are not of the same node and cluster. Errors: HAL_CONFLICT. */
export function checkDataOf(dataDir: string, setup: Setup): void {
  const path = join(dataDir, "agency.json");
  if (!existsSync(path)) return;
  const member = memberIn(path);
  // A damaged one is refused, in its own words, by the agency.
  if (member === undefined) return;
  const remedy = "Put back the one that belongs here, or begin afresh with --forget-setup.";
  if (member.cluster !== null && member.cluster !== setup.clusterId) {
    const message = `${join(dataDir, "setup.json")} is of the cluster ${setup.clusterId ?? "(none yet)"}, and ${path} of the cluster ${member.cluster}. ${remedy}`;
    throw new HalonError("HAL_CONFLICT", message);
  }
  if (member.id !== `AGNT-${setup.id}`) {
    const message = `${join(dataDir, "setup.json")} is of the node ${setup.id}, and ${path} of the member ${member.id}. ${remedy}`;
    throw new HalonError("HAL_CONFLICT", message);
  }
}

function memberIn(path: string): z.infer<typeof Member> | undefined {
  try {
    const [, body = ""] = readFileSync(path, "utf8").split("\n");
    return Member.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

function hasData(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch (error) {
    // A file is data as well.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
