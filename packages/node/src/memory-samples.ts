import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { z } from "zod";

const sampleEveryMs = 500;
const blockBytes = 4_096;

const Samples = z.object({
  at: z.string(),
  samples: z.array(z.object({ instance: z.string(), memoryMb: z.number() })),
});

/** What the last `halond` knew of its workers' memory before it ended without a stop. */
export interface LastSample {
  readonly instance: string;
  readonly memoryMb: number;
  /** RFC 3339. */
  readonly at: string;
}

/**
 * Keeps the sampled memory of the services in a file, which a clean stop removes.
 *
 * A worker that grows faster than it can be sampled may end the whole process; the next one names the likely cause.
 */
export function keepSamples(
  dataDir: string,
  samples: () => readonly { readonly instance: string; readonly memoryMb: number }[],
): { close(): void } {
  const path = pathIn(dataDir);
  const file = openSync(path, "w", 0o600);
  let written = "";
  let bytes = 0;
  const timer = setInterval(() => {
    const rounded = samples().map(({ instance, memoryMb }) => ({
      instance,
      memoryMb: Math.round(memoryMb),
    }));
    const text = JSON.stringify(rounded);
    if (text === written) return;
    written = text;
    const content = JSON.stringify({ at: new Date().toISOString(), samples: rounded });
    bytes = Math.max(bytes, blockBytes * Math.ceil(Buffer.byteLength(content) / blockBytes));
    writeInPlace(file, content, bytes);
  }, sampleEveryMs);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
}

/** Over what was there, filled up with blanks: a change of name or size would make every fsync of the log wait for it. */
function writeInPlace(file: number, text: string, bytes: number): void {
  const whole = Buffer.alloc(bytes, " ");
  whole.write(text);
  writeSync(file, whole, 0, bytes, 0);
}

/** The largest of the last samples; undefined after a clean stop. */
export function readLastSample(dataDir: string): LastSample | undefined {
  let text: string;
  try {
    text = readFileSync(pathIn(dataDir), "utf8");
  } catch {
    return undefined;
  }
  const parsed = Samples.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const [largest] = [...parsed.data.samples].sort((a, b) => b.memoryMb - a.memoryMb);
  return largest === undefined ? undefined : { ...largest, at: parsed.data.at };
}

/** Says which worker had the most memory when the last `halond` ended without a stop. */
export function warnOfLastSample(dataDir: string, log: Pick<Logger, "warn">): void {
  const last = readLastSample(dataDir);
  if (last === undefined) return;
  log.warn(
    last,
    "the halond before this one ended without a stop; the worker with the most memory was",
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Cut by the crash that it was written for: then there is nothing to tell.
    return undefined;
  }
}

function pathIn(dataDir: string): string {
  return join(dataDir, "services", "samples.json");
}
