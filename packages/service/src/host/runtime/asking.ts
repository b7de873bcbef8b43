import { HalonError, type Json, type JsonObject, JsonValue } from "@halon/protocol";
import type {
  AliveAnswer,
  HealthAnswer,
  ReconfigureAnswer,
  StatusAnswer,
} from "../../core/index.ts";
import { checkArguments } from "./arguments.ts";
import { type Hosted, takeOver } from "./hosted.ts";
import { configValuesOf } from "./secrets.ts";

/** As much as is kept of what was thrown. */
const reasonCharsMax = 2_000;

/** Asks for its Check. */
export async function askHealth(
  { runner, secrets }: Hosted,
  timeoutMs: number,
): Promise<HealthAnswer> {
  try {
    const { health, detail } = await runner.check(timeoutMs);
    return { type: "answered", health, detail: detail && secrets.clean(detail) };
  } catch (error) {
    if (error instanceof HalonError && error.code === "HAL_TIMEOUT") return { type: "timedOut" };
    if (error instanceof HalonError && error.code === "HAL_SERVICE_NOT_RUNNING") {
      return { type: "notRunning" };
    }
    return { type: "failed", reason: secrets.clean(messageOf(error)).slice(0, reasonCharsMax) };
  }
}

/** A runner that has no liveness to ask for is alive while it runs. */
export async function askAlive({ runner }: Hosted, timeoutMs: number): Promise<AliveAnswer> {
  return (await runner.alive?.(timeoutMs)) ?? { ok: true };
}

/** Asks for its status. */
export async function askStatus(hosted: Hosted, timeoutMs: number): Promise<StatusAnswer> {
  try {
    const report = plain(await hosted.runner.status(timeoutMs), "status");
    const bytes = Buffer.byteLength(JSON.stringify(report));
    return { type: "report", report: hosted.secrets.cleanJson(report), bytes };
  } catch (error) {
    return failed(hosted, error);
  }
}

/** Gives it a configuration that its schema takes; a secret that cannot be read is a refusal. */
export async function reconfigure(
  hosted: Hosted,
  config: JsonObject,
  timeoutMs: number,
): Promise<ReconfigureAnswer> {
  try {
    const values = configValuesOf(config)();
    hosted.secrets.learn(config, values);
    if ((await hosted.runner.reconfigure(values, timeoutMs)) === "restart") {
      return { type: "restart" };
    }
    takeOver(hosted, config, values);
    return { type: "done" };
  } catch (error) {
    return failed(hosted, error);
  }
}

/** Calls one of its messages. Errors: as `Runtime.call`. */
export async function call(
  hosted: Hosted,
  message: string,
  args: readonly Json[],
  timeoutMs: number,
): Promise<Json> {
  const checked = checkArguments(hosted.spec.manifest, message, args);
  try {
    const answer = await hosted.runner.call(message, checked, timeoutMs);
    return plain(answer ?? null, `answer to ${message}`);
  } catch (error) {
    throw withoutSecrets(hosted, error);
  }
}

/** The text of what was thrown, short enough for an event. */
export function reasonOf(error: unknown): string {
  return messageOf(error).slice(0, reasonCharsMax);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What its code threw; it is cleaned before it is cut, so that no part of a secret stays. */
function failed({ secrets }: Hosted, error: unknown) {
  const code = error instanceof HalonError ? error.code : "HAL_FAILED";
  const reason = secrets.clean(messageOf(error)).slice(0, reasonCharsMax);
  return { type: "failed", code, reason } as const;
}

/** What a service's own code gave, if it is plain data. Errors: HAL_FAILED. */
function plain(value: unknown, what: string): Json {
  let reason = "it is no plain data (JSON)";
  try {
    // Before it is parsed: what contains itself has no end.
    JSON.stringify(value);
    const parsed = JsonValue.safeParse(value);
    if (parsed.success) return parsed.data as Json;
  } catch (error) {
    reason = reasonOf(error);
  }
  throw new HalonError("HAL_FAILED", `its ${what} cannot be sent: ${reason}`);
}

/** What its code throws goes into logs and to people, as its answers do not. */
function withoutSecrets({ secrets }: Hosted, error: unknown): unknown {
  const message = messageOf(error);
  const cleaned = secrets.clean(message);
  if (cleaned === message) return error;
  return error instanceof HalonError
    ? new HalonError(error.code, cleaned, { details: error.details })
    : new Error(cleaned);
}
