import { resolve } from "node:path";
import { usage } from "../../failure.ts";
import type { Io } from "../../io.ts";

/** Makes an agency of one of what a member of a lost majority still has. */
export async function rebuildAgency(
  options: Readonly<Record<string, unknown>>,
  io: Io,
): Promise<void> {
  const { dataDir, advertise, acceptLoss } = options;
  if (typeof dataDir !== "string") {
    throw usage("Say which data directory with --data-dir DIR. There is no default for this.");
  }
  if (acceptLoss !== true) {
    throw usage(
      "What the lost members had acknowledged and this one never got is gone, and members that come back are strangers. Say --accept-loss if that is so.",
    );
  }
  const [{ rebuild }, { withDataDir }] = await Promise.all([
    import("@halon/agency"),
    import("@halon/node/agency"),
  ]);
  const { id, cluster, index } = await withDataDir(resolve(dataDir), (path) =>
    rebuild(path, typeof advertise === "string" ? advertise : null),
  );
  io.err(
    `halond: ${dataDir} is now an agency of one, up to transaction ${index}. Start it with --agency-size 1, then add members with \`halonctl agency member add\`.\n`,
  );
  io.out(`id=${id} cluster=${cluster} index=${index}\n`);
}
