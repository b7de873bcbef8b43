import { type ChildProcess, spawn } from "node:child_process";

/** What still holds a program's output open after its end is not waited for. */
const closeMs = 200;

export interface ProcessSpec {
  readonly file: string;
  readonly args: readonly string[];
  /** Without it: the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** At the deadline its group gets SIGTERM, and SIGKILL so much later; 0: SIGKILL at once. */
  readonly graceMs: number;
  /** Of what it writes, the end is kept. */
  readonly outputCharsMax: number;
}

/** How a program ended. `code`: null when a signal ended it. */
export type ProcessEnd =
  | { readonly type: "notStarted"; readonly reason: string }
  | {
      readonly type: "ended";
      readonly code: number | null;
      readonly signal: string | null;
      /** It had not ended at its deadline. */
      readonly isLate: boolean;
      readonly output: string;
    };

/** A program that runs. */
export interface RunningProcess {
  readonly end: Promise<ProcessEnd>;
  /** Ends its group at once. */
  kill(): void;
}

/** Runs a program, in a process group of its own, and ends that group at the deadline. Never throws. */
export function runProcess(spec: ProcessSpec): RunningProcess {
  let child: ChildProcess | undefined;
  const end = new Promise<ProcessEnd>((resolve) => {
    const refused = ({ message }: Error): void =>
      resolve({ type: "notStarted", reason: `${spec.file} cannot be run: ${message}` });
    try {
      child = follow(spec, resolve, refused);
    } catch (error) {
      refused(error as Error);
    }
  });
  return {
    end,
    kill: () => {
      if (child?.exitCode === null && child.signalCode === null) signalGroup(child, "SIGKILL");
    },
  };
}

function follow(
  { file, args, env, timeoutMs, graceMs, outputCharsMax }: ProcessSpec,
  resolve: (end: ProcessEnd) => void,
  refused: (error: Error) => void,
): ChildProcess {
  let output = "";
  let isLate = false;
  let hard: NodeJS.Timeout | undefined;
  const child = spawn(file, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...(env === undefined ? {} : { env }),
  });
  const late = setTimeout(() => {
    isLate = true;
    if (graceMs === 0) signalGroup(child, "SIGKILL");
    else {
      signalGroup(child, "SIGTERM");
      hard = setTimeout(() => signalGroup(child, "SIGKILL"), graceMs);
    }
  }, timeoutMs);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-outputCharsMax);
    });
  }
  const letGo = (): void => {
    clearTimeout(late);
    clearTimeout(hard);
    child.stdout.destroy();
    child.stderr.destroy();
  };
  child.once("error", (error) => {
    letGo();
    refused(error);
  });
  child.once("exit", (code, signal) => {
    // What it has left over ignores SIGTERM; while one of the group lives its number is not given anew.
    if (isLate) signalGroup(child, "SIGKILL");
    const end = (): void => {
      clearTimeout(open);
      letGo();
      resolve({ type: "ended", code, signal, isLate, output: output.trim() });
    };
    const open = setTimeout(end, closeMs);
    child.once("close", end);
  });
  return child;
}

/** A leader that has not been waited for keeps its number, so the group is the one that was founded. */
function signalGroup(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
