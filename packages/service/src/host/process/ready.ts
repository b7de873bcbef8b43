import { HalonError, type Json } from "@halon/protocol";
import { outputPath } from "./output.ts";
import { type ProbeResult, probeHttp, probeTcp } from "./probe.ts";
import type { Acquired, ProcessManifest } from "./record.ts";
import { scanOutput } from "./scan.ts";
import { fill, fillPort, type TemplateValues } from "./template.ts";

const firstPollMs = 10;
const pollMs = 50;
const probeTimeoutMs = 1_000;

export type ReadyCheck = ProcessManifest["ready"];
export type ProcessCheck = ProcessManifest["check"];

/** What waiting for readiness needs to know of a process that has been spawned. */
export interface Waiting {
  readonly check: ReadyCheck;
  readonly values: TemplateValues;
  readonly outputStart: number;
  /** At most once, with the resource that the instance took. */
  onReady(acquired: Acquired | null): void;
  /** It can never become ready. */
  onFailed(reason: string): void;
}

/**
 * Waits until the process is ready; gives what ends the waiting. Has no deadline of its own, the caller has one.
 *
 * Throws HAL_SCHEMA_VIOLATION when a template has no value and a SyntaxError when a pattern is not valid.
 */
export function awaitReady(waiting: Waiting): () => void {
  const { check, values, onReady } = waiting;
  switch (check.type) {
    case "spawned":
      onReady(null);
      return () => undefined;
    case "output":
      return awaitOutput(waiting, check);
    case "tcp":
    case "http": {
      const probe = probeOf(check, values);
      return pollUntilOk(
        () => probe(probeTimeoutMs),
        () => onReady(null),
      );
    }
  }
}

/** A probe for a check that asks the process itself. Throws HAL_SCHEMA_VIOLATION. */
export function probeOf(
  check: Extract<ReadyCheck, { type: "tcp" | "http" }>,
  values: TemplateValues,
): (timeoutMs: number) => Promise<ProbeResult> {
  if (check.type === "tcp") {
    const port = fillPort(check.port, values);
    return (timeoutMs) => probeTcp(port, timeoutMs);
  }
  const url = fill(check.url, values);
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new HalonError("HAL_SCHEMA_VIOLATION", `${JSON.stringify(url)} is not an http URL`);
  }
  return (timeoutMs) => probeHttp(url, timeoutMs);
}

function awaitOutput(
  { values, outputStart, onReady, onFailed }: Waiting,
  { pattern, acquire }: Extract<ReadyCheck, { type: "output" }>,
): () => void {
  const scan = scanOutput(
    outputPath(values.directory),
    outputStart,
    new RegExp(pattern),
    ({ groups = {} }) => {
      let acquired: Acquired | null = null;
      try {
        if (acquire !== undefined) acquired = acquisition(acquire, { ...values, groups });
      } catch (error) {
        if (!(error instanceof HalonError)) throw error;
        return onFailed(error.message);
      }
      onReady(acquired);
    },
  );
  return scan.cancel;
}

type Acquire = NonNullable<Extract<ReadyCheck, { type: "output" }>["acquire"]>;

/** The resource that a matched line speaks of. Throws HAL_SCHEMA_VIOLATION. */
export function acquisition(acquire: Acquire, values: TemplateValues): Acquired {
  const attributes: Record<string, Json> = {};
  for (const [name, template] of Object.entries(acquire.attributes)) {
    attributes[name] = numberOrText(fill(template, values));
  }
  return { kind: acquire.kind, id: fill(acquire.id, values), attributes };
}

/** A number only where nothing is lost by it: "007", "1.10" and ids of 20 digits stay text. */
function numberOrText(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? number : text;
}

function pollUntilOk(probe: () => Promise<ProbeResult>, onOk: () => void): () => void {
  let cancelled = false;
  let delayMs = firstPollMs;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const result = await probe();
    if (cancelled) return;
    if (result.ok) return onOk();
    delayMs = Math.min(pollMs, delayMs * 2);
    timer = setTimeout(look, delayMs);
  };
  timer = setTimeout(look, firstPollMs);
  return () => {
    cancelled = true;
    clearTimeout(timer);
  };
}
