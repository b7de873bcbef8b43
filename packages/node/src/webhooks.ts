import { join } from "node:path";
import {
  type CommandAction,
  effectTextMax,
  HalonError,
  type JsonObject,
  RunOutcome,
  shownUrl,
  toErrorData,
} from "@halon/protocol";
import { configValuesOf, type Redactor, redactorOf } from "@halon/service/host";
import type { Logger } from "pino";
import { z } from "zod";
import { AttemptJournal } from "./attempt-journal.ts";
import { type AttemptResult, afterAttempt, attemptMs } from "./core/call-attempts.ts";
import { version } from "./version.ts";

/** Calls that are made for rules at the same time. */
const runningMax = 64;
/** As many as may be unanswered to one node; see programs.ts. */
const attemptsMax = 10_000;
/** Of the answer, in the journal: what is told again after a crash. */
const keptCharsMax = 512;
const bytesMax = 4 * effectTextMax;

export type CallAction = Extract<CommandAction, { type: "CallWebhook" }>;

const CallEnd = z.object({
  outcome: RunOutcome,
  status: z.number().optional(),
  attempts: z.number(),
  body: z.string(),
  reason: z.string().optional(),
});
type CallEnd = z.infer<typeof CallEnd>;

export interface WebhooksOptions {
  readonly node: string;
  /** Part of the Idempotency-Key: commands of two clusters have equal ids. */
  readonly clusterId: string;
  readonly dataDir: string;
  readonly log: Logger;
  emit(type: string, data: unknown): void;
}

/** A call that is under way. */
interface Call {
  readonly action: CallAction;
  readonly command: string;
  readonly until: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly redactor: Redactor;
}

/**
 * Calls webhooks for rules: a POST with JSON, again after failures, with one Idempotency-Key for all attempts (rfc/0010).
 *
 * Each attempt is on the disk before it is made. What an earlier process has begun goes on with the same key, while its
 * deadline is not over.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #journal: AttemptJournal<CallEnd>;
  readonly #running = new Set<string>();
  readonly #closing = new AbortController();

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const path = join(options.dataDir, "calls.jsonl");
    this.#journal = new AttemptJournal({ path, end: CallEnd, attemptsMax });
  }

  /** Begins it, or goes on with it; WebhookEnded answers the command. Errors: HAL_CONFIG_INVALID, HAL_TOO_MANY. */
  perform(action: CallAction, command: string): void {
    if (this.#running.has(command)) return;
    const known = this.#journal.find(command);
    if (known?.state === "ended") {
      this.#tell(command, known.end);
      return;
    }
    if (this.#running.size >= runningMax)
      throw new HalonError("HAL_TOO_MANY", `${runningMax} calls are made already by this node`);
    const tried = known?.tried ?? 0;
    let headers: ReturnType<typeof headersOf>;
    try {
      headers = headersOf(action);
    } catch (error) {
      if (tried === 0) throw error;
      this.#tell(command, lost(tried, toErrorData(error).message));
      return;
    }
    const until = known?.until ?? Date.now() + action.timeoutMs;
    this.#running.add(command);
    void this.#run({ action, command, until, ...headers }, tried).finally(() =>
      this.#running.delete(command),
    );
  }

  /** Breaks off what is under way; the next process goes on with it. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#journal.close();
  }

  async #run(call: Call, tried: number): Promise<void> {
    const { node, log, emit } = this.#options;
    const { command, action } = call;
    let end: CallEnd | undefined;
    try {
      end = await this.#attempts(call, tried);
    } catch (error) {
      const { code, message } = toErrorData(error);
      const reason = `the call was not begun, because that cannot be written down: ${message}`;
      emit("CommandRefused", { node, command, code, reason });
      return;
    }
    if (end === undefined) return;
    await this.#journal
      .end(command, { ...end, body: end.body.slice(0, keptCharsMax) })
      .catch((error: unknown) =>
        log.error({ command, reason: toErrorData(error).message }, "a call's end was not written"),
      );
    const { body: _, ...told } = end;
    log.info({ url: shownUrl(action.url), command, ...told }, "a call of a webhook has ended");
    this.#tell(command, end);
  }

  /** Undefined when this process stops. Rejects when the first attempt cannot be written down. */
  async #attempts(call: Call, tried: number): Promise<CallEnd | undefined> {
    const { command, until, action } = call;
    for (let number = tried + 1; ; number += 1) {
      const timeoutMs = attemptMs(Date.now(), until);
      if (timeoutMs === null || number > action.attempts)
        return number === tried + 1
          ? lost(tried, "the deadline is over, or its attempts are used up")
          : tooLate(number - 1);
      try {
        await this.#journal.begin(command, { until, tried: number });
      } catch (error) {
        if (number === 1) throw error;
        return lost(number - 1, `that cannot be written down: ${toErrorData(error).message}`);
      }
      if (this.#closing.signal.aborted) return undefined;
      const { result, body } = await this.#attempt(call, timeoutMs);
      if (this.#closing.signal.aborted) return undefined;
      const around = { number, attempts: action.attempts, now: Date.now(), until };
      const next = afterAttempt(result, around);
      if (next.type === "end") {
        const { outcome, reason } = next;
        const status = result.type === "answered" ? { status: result.status } : {};
        const because = reason === undefined ? {} : { reason: reason.slice(0, 1_000) };
        return { outcome, ...status, attempts: number, body, ...because };
      }
      if (!(await this.#pause(next.inMs))) return undefined;
    }
  }

  async #attempt(
    { action, command, headers, redactor }: Call,
    timeoutMs: number,
  ): Promise<{ readonly result: AttemptResult; readonly body: string }> {
    const { clusterId } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(action.url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.any([timeout, this.#closing.signal]),
        headers: {
          accept: "*/*",
          "user-agent": `halon/${version}`,
          ...headers,
          "content-type": headers["content-type"] ?? "application/json",
          "idempotency-key": `${clusterId}.${command}`,
        },
        body: JSON.stringify(action.body),
      });
      const text = await readStart(response);
      const retryAfter = response.headers.get("retry-after");
      const result = {
        ...({ type: "answered", status: response.status } as const),
        ...(retryAfter === null ? {} : { retryAfter }),
      };
      return { result, body: redactor.clean(text).slice(0, effectTextMax) };
    } catch (error) {
      const reason = timeout.aborted
        ? `no answer within ${timeoutMs} ms`
        : redactor.clean(networkReason(error));
      return { result: { type: "broken", reason }, body: "" };
    }
  }

  /** False when this process stops. */
  #pause(ms: number): Promise<boolean> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve(false);
        return;
      }
      const stopped = (): void => {
        clearTimeout(timer);
        resolve(false);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", stopped);
        resolve(true);
      }, ms);
      signal.addEventListener("abort", stopped, { once: true });
    });
  }

  #tell(command: string, end: CallEnd): void {
    this.#options.emit("WebhookEnded", { node: this.#options.node, command, ...end });
  }
}

/** An attempt may have arrived, and none may follow that makes sure. */
function lost(attempts: number, why: string): CallEnd {
  const reason = `whether it arrived is unknown, and it is not made again: ${why}`.slice(0, 1_000);
  return { outcome: "unknown", attempts, body: "", reason };
}

/** The pause before the next attempt took longer than it should. */
function tooLate(attempts: number): CallEnd {
  const reason = `${attempts} attempts failed, and the deadline leaves no time for another`;
  return { outcome: "timedOut", attempts, body: "", reason };
}

/** With the values of secrets. An error names the header, never what is in it. */
function headersOf(action: CallAction): Pick<Call, "headers" | "redactor"> {
  const config = action.headers as JsonObject;
  const configValues = configValuesOf(config);
  const headers = configValues() as Readonly<Record<string, string>>;
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\t\x20-\x7e]*$/.test(value)) continue;
    throw new HalonError(
      "HAL_CONFIG_INVALID",
      `the secret of the header ${name} is not printable ASCII in one line, so it cannot be sent`,
    );
  }
  return { headers, redactor: redactorOf({ config, configValues }) };
}

/** The beginning of the answer; the rest is not read. */
async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  let bytes = 0;
  try {
    while (text.length < effectTextMax && bytes < bytesMax) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      text += decoder.decode(value, { stream: true });
    }
    await reader.cancel();
  } catch {
    // The receiver has said its status, and that is what counts.
  }
  return text.slice(0, effectTextMax);
}

/** `fetch` says only that it failed; what failed is its cause. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { message } = toErrorData(cause);
  const code = (cause as NodeJS.ErrnoException).code;
  return message === "" ? (code ?? "it cannot be reached") : message;
}
