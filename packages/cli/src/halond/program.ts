import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { Duration, HalonError } from "@halon/protocol";
import { type Command, Option } from "commander";
import { addNotBuilt, createProgram, many, single } from "../command-line.ts";
import { notBuilt, usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { versionOf } from "../version.ts";
import { addAgency } from "./agency/command.ts";
import { refuseSecrets, type StartOptions, startOptions } from "./options.ts";
import { loadStartNode } from "./run.ts";
import { environmentSettings, layered, type RawSettings } from "./settings.ts";

/** Options that are reserved and not built: absent from help, and said so when used. */
const optionsNotBuilt = [
  "--detach",
  "--auth.secret-file [file]",
  "--tls.cert [file]",
  "--tls.key [file]",
  "--tls.ca [file]",
];

/**
 * The command line of `halond`; `onExit` is given the exit code of what ran.
 *
 * What only some commands need is loaded by them: an agency's member would keep all of it in memory for good.
 */
export function halondProgram(
  argv: readonly string[],
  io: Io,
  onExit: (code: number) => void,
): Command {
  refuseSecrets(argv);
  const program = createProgram("halond", io)
    .description("Runs a node of a Halon cluster.")
    .addHelpText(
      "after",
      "\nThe options of the node: halond start --help, of a member: halond agency --help",
    );
  program
    .command("start", { isDefault: true })
    .description("run a node in the foreground (the default)")
    .addOption(single("--data-dir <dir>", "all state of this node (default: ./halon-data)"))
    .addOption(single("--listen <host:port>", "the one listener (default: 127.0.0.1:8528)"))
    .addOption(
      single("--advertise <host:port>", "how other nodes reach this one (default: --listen)"),
    )
    .addOption(single("--name <name>", "node name, unique in the cluster (default: host name)"))
    .addOption(many("--label <k=v>", "used by placement; repeatable"))
    .addOption(
      many("--join <host:port>", "nodes to begin with; none: this is the one that others join"),
    )
    .addOption(
      single("--agency-size <n>", "1, 3, 5 or 7 tracking nodes before anything runs (default: 3)"),
    )
    .addOption(single("--local <n>", "n nodes on this machine, on ports +0, +10, +20 …"))
    .addOption(single("--store <url>", "embedded or etcd://host:port[,…] (default: embedded)"))
    .option("--forget-setup", "move what an earlier node left aside and begin afresh")
    .addOption(
      single("--allow-run <file>", "programs that rules may run here, by name (default: none)"),
    )
    .addOption(many("--apply <file>", "cluster file to apply when the cluster runs; repeatable"))
    .option("--insecure", "allow a --listen that other machines reach, without authentication")
    .addOption(
      single("--log.level <level>", "trace, debug, info, warn, error or fatal (default: info)"),
    )
    .addOption(single("--log.format <format>", "json or pretty (default: pretty on a terminal)"))
    .addOption(single("--log.file <file>", "write the log there"))
    .addOption(single("--config <file>", "YAML (default: halond.yaml in the data dir)"))
    .addOption(single("--local-node <n>", "").hideHelp())
    .action((_: unknown, command: Command) => start(command, io).then(onExit));
  const [startCommand] = program.commands;
  for (const flags of optionsNotBuilt) startCommand?.addOption(new Option(flags).hideHelp());
  addAgency(program, io, onExit);
  program
    .command("stop")
    .description("stop a node and wait until it is gone")
    .addOption(single("--data-dir <dir>", "the node that uses it"))
    .addOption(single("--endpoint <url>", "the node (default: http://127.0.0.1:8528)"))
    .option("--keep-services", "its OS processes run on for the next halond")
    .addOption(single("--timeout <duration>", "how long to wait (default: 60s)"))
    .action((options: Readonly<Record<string, unknown>>) => stop(options, io));
  program
    .command("version")
    .description("print the version")
    .action(() => io.out(`${versionOf()}\n`));
  addNotBuilt(program, ["config"]);
  return program;
}

async function start(command: Command, io: Io): Promise<number> {
  if (process.platform !== "linux") {
    throw new HalonError("HAL_PLATFORM", `halond runs on Linux only; this is ${process.platform}.`);
  }
  const options = await readStart(command.opts(), io);
  if (options.local !== undefined) {
    const script = process.argv[1] ?? "halond";
    const { startLocal } = await import("./local.ts");
    return startLocal({ ...options, local: options.local }, [process.execPath, script], io);
  }
  const { startOne } = await import("./start.ts");
  return startOne(options, await loadStartNode(), io);
}

/** Flags, then environment, then file, then defaults. */
async function readStart(flags: Readonly<Record<string, unknown>>, io: Io): Promise<StartOptions> {
  for (const option of optionsNotBuilt) {
    const name = option.split(" ")[0] ?? option;
    if (flags[attributeOf(name)] !== undefined) throw notBuilt(name);
  }
  const given = layered([flagSettings(flags), environmentSettings(io.env)]);
  const file = settingsFile(flags["config"] ?? io.env["HALON_CONFIG"], given.dataDir);
  const raw = file === undefined ? given : layered([given, await fileSettings(file)]);
  return startOptions(raw, {
    hostname: hostname(),
    directory: process.cwd(),
    isTerminal: io.isTerminal,
  });
}

function flagSettings(flags: Readonly<Record<string, unknown>>): RawSettings {
  return {
    ...flags,
    logLevel: flags["log.level"] as string | undefined,
    logFormat: flags["log.format"] as string | undefined,
    logFile: flags["log.file"] as string | undefined,
  };
}

async function fileSettings(path: string): Promise<RawSettings> {
  return (await import("./settings-file.ts")).readSettingsFile(path);
}

function settingsFile(given: unknown, dataDir: string | undefined): string | undefined {
  if (typeof given === "string") return resolve(given);
  const standard = join(resolve(dataDir ?? "halon-data"), "halond.yaml");
  return existsSync(standard) ? standard : undefined;
}

async function stop(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  const endpoint = await endpointToStop(options, io);
  const timeout = Duration.safeParse(options["timeout"] ?? "60s");
  if (!timeout.success) throw usage(`Expected --timeout to be a duration such as 60s.`);
  const { stopNode } = await import("./stop.ts");
  await stopNode({
    endpoint,
    keepServices: options["keepServices"] === true,
    timeoutMs: timeout.data,
  });
  io.err(`halond: the node at ${endpoint} has stopped\n`);
}

async function endpointToStop(
  { dataDir, endpoint }: Readonly<Record<string, unknown>>,
  io: Io,
): Promise<string> {
  if (typeof dataDir === "string") {
    if (endpoint !== undefined) throw usage("Name the node by --data-dir or --endpoint, not both.");
    return `http://${await usedAt(resolve(dataDir))}`;
  }
  const given = endpoint ?? io.env["HALON_ENDPOINT"];
  return typeof given === "string" && given !== "" ? given : "http://127.0.0.1:8528";
}

async function usedAt(dataDir: string): Promise<string> {
  const endpoint = await (await import("@halon/node")).endpointOf(dataDir);
  if (endpoint !== undefined && endpoint !== "") return endpoint;
  const what = endpoint === undefined ? "No halond uses" : "The halond is still starting that uses";
  throw new HalonError("HAL_UNREACHABLE", `${what} the data directory ${dataDir}.`);
}

function attributeOf(flag: string): string {
  return new Option(flag).attributeName();
}
