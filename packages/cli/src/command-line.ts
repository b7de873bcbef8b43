import { Command, InvalidArgumentError, Option } from "commander";
import { clean, notBuilt } from "./failure.ts";
import type { Io } from "./io.ts";

/** A program that throws instead of ending the process, and whose errors are one line. */
export function createProgram(name: string, io: Io): Command {
  const program = new Command(name);
  program.exitOverride();
  program.configureHelp({ showGlobalOptions: true, helpWidth: 80, minWidthToWrap: 20 });
  program.configureOutput({
    writeOut: (text) => io.out(text),
    writeErr: (text) => io.err(text),
    outputError: (text, write) => {
      const message = text
        .replace(/^error: /, "")
        .replaceAll("\n", " ")
        .trim();
      write(`${name}: HAL_USAGE: ${clean(message).replace(/\.$/, "")}. See \`${name} --help\`.\n`);
    },
  });
  return program;
}

/**
 * Reads the value of an option that may be given once.
 *
 * A value that looks like an option is one whose own value was forgotten before it.
 */
export function once(value: string, previous: string | undefined): string {
  if (previous !== undefined) throw new InvalidArgumentError("It may be given only once.");
  return plain(value);
}

/** Reads the values of an option that may be repeated. */
export function repeated(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), plain(value)];
}

/** An option that may be given once. */
export function single(flags: string, description: string): Option {
  return new Option(flags, description).argParser(once);
}

/** An option that may be repeated. */
export function many(flags: string, description: string): Option {
  return new Option(flags, description).argParser(repeated);
}

function plain(value: string): string {
  if (value === "") throw new InvalidArgumentError("It must not be empty.");
  if (value.startsWith("-")) throw new InvalidArgumentError("Its value is missing.");
  return value;
}

/** Commands that are reserved and not built: absent from help, and said so when typed. */
export function addNotBuilt(parent: Command, names: readonly string[]): void {
  for (const name of names) {
    parent
      .command(name, { hidden: true })
      .argument("[rest...]")
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw notBuilt(`${fullName(parent)} ${name}`);
      });
  }
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}
