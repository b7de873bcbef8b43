import { HalonError, type Json, JsonValue } from "@halon/protocol";
import { limits } from "../limits.ts";
import { checkArguments } from "./arguments.ts";
import { askBoth, checkNow } from "./asking.ts";
import type { Instance } from "./instance.ts";
import { reconfigure } from "./reconfigure.ts";
import { placeOf } from "./report.ts";
import type { ActionOf, Runtime, RuntimeEvent } from "./runtime.ts";
import { reasonOf } from "./watch.ts";

type Requests = Pick<
  Runtime,
  "check" | "reportStatus" | "reconfigure" | "answerTrouble" | "call" | "probe"
>;

/** Questions to running instances. Each is answered by an event, also when the instance does not answer. */
export function createRequests(
  node: string,
  instances: ReadonlyMap<string, Instance>,
  emit: (event: RuntimeEvent) => void,
): Requests {
  /** The running instance, or the refusal emitted. */
  const find = (id: string, command: string | undefined): Instance | null => {
    const instance = instances.get(id);
    if (instance?.state === "running") return instance;
    const state = instance === undefined ? "not here" : instance.state;
    refuse(command, "HAL_SERVICE_NOT_RUNNING", `${id} does not run on ${node}: it is ${state}`);
    return null;
  };
  const refuse = (command: string | undefined, code: string, reason: string) => {
    if (command === undefined) return;
    emit({ type: "CommandRefused", data: { node, command, code, reason: reason.slice(0, 4_000) } });
  };
  const refuseError = (command: string | undefined, instance: Instance, error: unknown) => {
    const code = error instanceof HalonError ? error.code : "HAL_FAILED";
    refuse(command, code, instance.secrets.clean(reasonOf(error)));
  };

  return {
    check(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      void checkNow(instance, action.doubt, (data) => {
        const answer = command === undefined ? {} : { command };
        emit({ type: "ServiceChecked", data: { ...placeOf(instance.spec), ...answer, ...data } });
      });
    },
    async probe(id) {
      const instance = instances.get(id);
      if (instance?.state !== "running") throw notRunning(id, node);
      return (await askBoth(instance)).answer;
    },
    reportStatus(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      const { spec, runner } = instance;
      const tell = async (): Promise<void> => {
        const report = plain(await runner.status(spec.manifest.checkTimeoutMs), "status");
        const bytes = Buffer.byteLength(JSON.stringify(report));
        if (bytes > limits.reportBytesMax) {
          const reason = `the status of ${spec.instance} has ${bytes} bytes, ${limits.reportBytesMax} are allowed`;
          throw new HalonError("HAL_TOO_LARGE", reason);
        }
        const answer = command === undefined ? {} : { command };
        const cleaned = instance.secrets.cleanJson(report);
        const data = { ...placeOf(spec), ...answer, report: cleaned as never };
        emit({ type: "ServiceReported", data });
      };
      tell().catch((error: unknown) => refuseError(command, instance, error));
    },
    reconfigure(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      reconfigure(instance, action).then(
        (configuration) => {
          const answer = command === undefined ? {} : { command };
          const data = { ...placeOf(instance.spec), ...answer, configuration };
          emit({ type: "ServiceReconfigured", data });
        },
        (error: unknown) => refuseError(command, instance, error),
      );
    },
    answerTrouble(action, command) {
      const instance = instances.get(action.instance);
      if (instance === undefined || instance.state === "killing") {
        const reason = `${action.instance} does not run on ${node}`;
        refuse(command, "HAL_SERVICE_NOT_RUNNING", reason);
        return;
      }
      answerTrouble(instance, action);
      // Also of a trouble that is not known: it was answered before, and the answer to that was lost.
      const answer = command === undefined ? {} : { command };
      const data = { ...placeOf(instance.spec), ...answer, ref: action.ref };
      emit({ type: "TroubleAnswered", data });
    },
    async call(id, message, args, timeoutMs): Promise<Json> {
      const instance = instances.get(id);
      if (instance?.state !== "running") throw notRunning(id, node);
      const checked = checkArguments(instance.spec.manifest, message, args);
      try {
        const answer = await instance.runner.call(message, checked, timeoutMs);
        return plain(answer ?? null, `answer to ${message}`);
      } catch (error) {
        throw withoutSecrets(instance, error);
      }
    },
  };
}

function notRunning(id: string, node: string): HalonError {
  return new HalonError("HAL_SERVICE_NOT_RUNNING", `${id} does not run on ${node}.`);
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

/** The service has the answer before it is asked to stop. */
function answerTrouble(instance: Instance, { ref, answer, data }: ActionOf<"AnswerTrouble">): void {
  const trouble = instance.troubles.get(ref);
  if (trouble === undefined) return;
  instance.troubles.delete(ref);
  instance.runner.answerTrouble?.(ref, data === undefined ? { answer } : { answer, data });
  const { code } = trouble;
  const reason = `trouble ${code}: ${trouble.reason}`.slice(0, 4_000);
  if (answer === "restart") {
    const cause = { code: "HAL_FAILED", reason, cause: "trouble" as const, failureCode: code };
    instance.take({ type: "givenUp", cause });
  } else if (answer === "stop") instance.take({ type: "exiting", reason });
}

/** What its code throws goes into logs and to people, as its answers do not. */
function withoutSecrets({ secrets }: Instance, error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  const cleaned = secrets.clean(message);
  if (cleaned === message) return error;
  return error instanceof HalonError
    ? new HalonError(error.code, cleaned, { details: error.details })
    : new Error(cleaned);
}
