/** Where a command writes, and what it knows of its surroundings. */
export interface Io {
  /** Data. */
  out(text: string): void;
  /** Talk, progress and errors. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal; 80 where there is none. */
  readonly columns: number;
  readonly isTerminal: boolean;
  /** Aborted when a person ends the command. */
  readonly interrupted: AbortSignal;
}

/** The process that runs. A reader that has left (`| head`) ends the command without a word. */
export function processIo(interrupted: AbortSignal): Io {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  // Nobody is left to be told about a broken stderr.
  process.stderr.on("error", () => undefined);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    columns: process.stdout.columns ?? 80,
    isTerminal: process.stdout.isTTY === true,
    interrupted,
  };
}
