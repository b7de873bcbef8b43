import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { isLoopback } from "@halon/api/listen";
import { HalonError } from "@halon/protocol";
import { checkDataOf, requireNoData } from "./bootstrap/foreign-data.ts";
import { forgetSetup } from "./bootstrap/forget.ts";
import { readSetup, saveSetup } from "./bootstrap/setup-file.ts";
import { freshSetup, relaunched, type SetupVerdict } from "./core/bootstrap-relaunch.ts";
import { hostPort, isComplete, type Setup } from "./core/bootstrap-setup.ts";
import type { NodeOptions } from "./options.ts";

/**
 * Reads `setup.json`, or makes the one of a first start; every start has a higher incarnation.
 *
 * The first setup is not on disk before `bootstrap` writes it, when the port is known. A damaged file stops the start
 * and stays as it is: a fresh cluster over an old one's data would lose it. Errors: HAL_DATA_DIR_INVALID,
 * HAL_DATA_DIR_VERSION, HAL_CONFLICT, HAL_USAGE.
 */
export function loadSetup(dataDir: string, options: NodeOptions, now: number): Setup {
  if (options.forgetSetup) forgetSetup(dataDir, now);
  const path = join(dataDir, "setup.json");
  const known = readSetup(path);
  if (known === undefined) {
    requireNoData(dataDir);
    return resultOf(freshSetup(options, { id: randomUUID(), hostname: hostname(), now }));
  }
  checkDataOf(dataDir, known);
  const setup = resultOf(relaunched(known, options, path));
  if (!options.insecure && !isLoopback(setup.listen.host)) {
    const message = `${hostPort(setup.listen)} can be reached by other machines, and there is no authentication yet. Say --insecure if the network is safe.`;
    throw new HalonError("HAL_USAGE", message);
  }
  const next = { ...setup, incarnation: Math.max(known.incarnation + 1, now) };
  saveSetup(dataDir, next);
  return next;
}

/** The setup of a node that listens, with the port that it got. */
export function listensAt(setup: Setup, port: number): Setup {
  if (setup.listen.port === port || isComplete(setup)) return setup;
  return { ...setup, listen: { ...setup.listen, port } };
}

function resultOf(verdict: SetupVerdict): Setup {
  if (verdict.type === "setup") return verdict.setup;
  throw new HalonError(verdict.code, verdict.message);
}
