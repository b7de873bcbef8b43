import { execFile } from "node:child_process";

const outputBytesMax = 65_536;

/** How a short program ended; without a code it was ended at its deadline, or could not be run. */
export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program that answers and ends. Never rejects. */
export function run(program: string, args: readonly string[], timeoutMs: number): Promise<Ran> {
  return new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: outputBytesMax,
    } as const;
    execFile(program, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      if (error === null) resolve({ code: 0, output });
      else if (typeof error.code === "number") resolve({ code: error.code, output });
      else resolve({ code: null, output: output === "" ? error.message : output });
    });
  });
}
