import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const sampleEveryMs = 500;

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
  const timer = setInterval(() => {
    const text = JSON.stringify({ at: new Date().toISOString(), samples: samples() });
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }, sampleEveryMs);
  timer.unref();
  return {
    close: () => {
      clearInterval(timer);
      rmSync(path, { force: true });
    },
  };
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
