import { failureOf, notBuilt } from "../failure.ts";
import { type Io, processIo } from "../io.ts";
import { halonctlProgram } from "./program.ts";

/** Runs one command line; gives its exit code. */
export async function runHalonctl(argv: readonly string[], io: Io): Promise<number> {
  try {
    const program = halonctlProgram(io);
    program.hook("preAction", () => {
      if (program.opts()["tokenFile"] !== undefined) throw notBuilt("--token-file");
    });
    await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (error) {
    const failure = failureOf("halonctl", error);
    if (failure.text !== null) io.err(failure.text);
    return failure.exit;
  }
}

/** The program `halonctl`: sets the exit code of the process. */
export async function halonctl(): Promise<void> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => {
    interrupted.abort();
    // A second one, or one that nobody waits for, ends the process as usual.
    process.once("SIGINT", () => process.exit(130));
  });
  process.exitCode = await runHalonctl(process.argv.slice(2), processIo(interrupted.signal));
}
