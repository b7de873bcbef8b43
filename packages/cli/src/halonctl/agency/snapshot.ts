import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HalonError } from "@halon/protocol";
import type { Command } from "commander";
import { single } from "../../command-line.ts";
import { usage } from "../../failure.ts";
import type { Io } from "../../io.ts";
import { type GlobalOptions, settingsOf } from "../session.ts";
import { type AgencySession, agencyAction } from "./session.ts";

/** `snapshot`. */
export function addSnapshot(program: Command, io: Io): void {
  const snapshot = program.command("snapshot").description("copies of an agency's store");
  snapshot
    .command("save")
    .description("write what is committed now to a file")
    .argument("<file>")
    .action(agencyAction(io, save));
  snapshot
    .command("verify")
    .description("read a file to its end and check it")
    .argument("<file>")
    .action(async (file: string, options: unknown, command: Command) => {
      void options;
      const { print } = settingsOf(io, command.optsWithGlobals<GlobalOptions>());
      print.one(await verified(file), file);
    });
  snapshot
    .command("restore")
    .description("make an agency of one from a file, in a data directory that holds none")
    .argument("<file>")
    .addOption(single("--data-dir <dir>", "where; no process may use it"))
    .addOption(
      single("--advertise <host:port>", "how it will be reached (default: 127.0.0.1:8528)"),
    )
    .action(async (file: string, options: RestoreOptions, command: Command) => {
      const { print } = settingsOf(io, command.optsWithGlobals<GlobalOptions>());
      const outcome = await restore(file, options);
      print.say(
        `halonctl: start it with \`halond agency --agency-size 1 --data-dir ${options.dataDir}\``,
      );
      print.one(outcome, outcome.id);
    });
}

interface RestoreOptions {
  readonly dataDir?: string;
  readonly advertise?: string;
}

async function restore(file: string, { dataDir, advertise }: RestoreOptions) {
  if (dataDir === undefined) throw usage("Say into which data directory with --data-dir DIR.");
  await checkReadable(file);
  // A damaged file is found before anything is made.
  await verified(file);
  const [{ withDataDir }, { restoreSnapshot }] = await Promise.all([
    import("@halon/node/agency"),
    import("@halon/agency"),
  ]);
  return withDataDir(resolve(dataDir), (path) =>
    restoreSnapshot(createReadStream(file), path, advertise ?? "127.0.0.1:8528"),
  );
}

/** The file appears under its name only when it is whole and on disk. */
async function save({ client, print }: AgencySession, file: string): Promise<void> {
  const partial = `${file}.part`;
  try {
    const bytes = await client.snapshot();
    await pipeline(Readable.from(bytes), createWriteStream(partial, { mode: 0o600, flush: true }));
    const { index } = await verified(partial);
    await rename(partial, file);
    print.one({ file, index }, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw fileError(error, file);
  }
}

async function verified(file: string): Promise<{ readonly file: string; readonly index: number }> {
  await checkReadable(file);
  const { verifySnapshot } = await import("@halon/agency");
  const { index } = await verifySnapshot(createReadStream(file));
  return { file, index };
}

async function checkReadable(file: string): Promise<void> {
  try {
    await (await open(file)).close();
  } catch (error) {
    throw fileError(error, file);
  }
}

function fileError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (error instanceof HalonError || code === undefined) return error;
  const what = code === "ENOENT" ? "HAL_NOT_FOUND" : "HAL_FAILED";
  return new HalonError(what, `The file ${file} cannot be used: ${(error as Error).message}.`, {
    cause: error,
  });
}
