import { hostname } from "node:os";
import type { Command } from "commander";
import { many, single } from "../../command-line.ts";
import type { Io } from "../../io.ts";
import { environmentSettings, layered, type RawSettings } from "../settings.ts";
import { agencyOptions, type RawTuning } from "./options.ts";
import { rebuildAgency } from "./rebuild.ts";
import { runAgency } from "./start.ts";

/** `halond agency` and `halond agency rebuild`. */
export function addAgency(program: Command, io: Io, onExit: (code: number) => void): void {
  const agency = program
    .command("agency")
    .description("run one member of a standalone agency and nothing else")
    .addOption(single("--data-dir <dir>", "all state of this member (default: ./halon-data)"))
    .addOption(single("--listen <host:port>", "the one listener (default: 127.0.0.1:8528)"))
    .addOption(
      single("--advertise <host:port>", "how clients and members reach it (default: --listen)"),
    )
    .addOption(many("--join <host:port>", "other members, any of them; repeatable"))
    .addOption(single("--agency-size <n>", "members at the start: 1, 3, 5 or 7 (default: 3)"))
    .addOption(single("--name <name>", "for people and the log (default: host name)"))
    .option("--insecure", "allow a --listen that other machines reach, without authentication")
    .addOption(single("--election.min-ms <ms>", "shortest wait for a leader (default: 300)"))
    .addOption(single("--election.max-ms <ms>", "longest wait for a leader (default: 600)"))
    .addOption(single("--compaction.step <n>", "transactions between snapshots (default: 1000)"))
    .addOption(
      single("--compaction.keep <n>", "transactions kept before a snapshot (default: 50000)"),
    )
    .addOption(
      single("--compaction.bytes <n>", "least bytes of log between snapshots (default: 16777216)"),
    )
    .addOption(
      single("--log.level <level>", "trace, debug, info, warn, error or fatal (default: info)"),
    )
    .addOption(single("--log.format <format>", "json or pretty (default: pretty on a terminal)"))
    .addOption(single("--log.file <file>", "write the log there"))
    .action((_: unknown, command: Command) => start(command, io).then(onExit));
  agency
    .command("rebuild")
    .description("make an agency of one of what a member still has, its majority being lost")
    .addOption(single("--data-dir <dir>", "of a member that does not run"))
    .addOption(
      single("--advertise <host:port>", "how it will be reached (default: as it was reached)"),
    )
    .option("--accept-loss", "what only the lost members had is gone for good")
    .action((_: unknown, command: Command) => rebuildAgency(command.optsWithGlobals(), io));
}

async function start(command: Command, io: Io): Promise<number> {
  const flags = command.opts();
  const given: RawSettings & RawTuning = layered([
    {
      ...flags,
      logLevel: flags["log.level"],
      logFormat: flags["log.format"],
      logFile: flags["log.file"],
    },
    environmentSettings(io.env),
  ]);
  const raw = {
    ...given,
    electionMinMs: flags["election.minMs"],
    electionMaxMs: flags["election.maxMs"],
    compactionStep: flags["compaction.step"],
    compactionKeep: flags["compaction.keep"],
    compactionBytes: flags["compaction.bytes"],
  };
  const options = agencyOptions(raw, {
    hostname: hostname(),
    directory: process.cwd(),
    isTerminal: io.isTerminal,
  });
  const [{ startAgencyNode }, { openAgency }] = await Promise.all([
    import("@halon/node/agency"),
    import("./open.ts"),
  ]);
  return runAgency(() => startAgencyNode(options.node, openAgency(options)), io);
}
