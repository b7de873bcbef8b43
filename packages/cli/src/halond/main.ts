import { failureOf } from "../failure.ts";
import { processIo } from "../io.ts";
import { halondProgram } from "./program.ts";

/** The program `halond`: sets the exit code of the process, and ends it when all is done. */
export async function halond(): Promise<void> {
  const io = processIo(new AbortController().signal);
  let exit = 0;
  try {
    const argv = process.argv.slice(2);
    const program = halondProgram(argv, io, (code) => {
      exit = code;
    });
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    const failure = failureOf("halond", error);
    if (failure.text !== null) io.err(failure.text);
    exit = failure.exit;
  }
  // A thread or socket that was left open must not keep a stopped node alive.
  process.exit(exit);
}
