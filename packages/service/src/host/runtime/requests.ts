import { HalonError, type Json } from "@halon/protocol";
import { limits } from "../limits.ts";
import { checkConfig } from "./configuration.ts";
import { type Instance, placeOf } from "./instance.ts";
import type { Runtime, RuntimeEvent } from "./runtime.ts";
import { askHealth, reasonOf } from "./watch.ts";

type Requests = Pick<Runtime, "check" | "reportStatus" | "reconfigure" | "call">;

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
  const refuseError = (command: string | undefined, error: unknown) =>
    refuse(command, error instanceof HalonError ? error.code : "HAL_FAILED", reasonOf(error));

  return {
    check(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      void askHealth(instance).then((outcome) => {
        const { checkTimeoutMs } = instance.spec.manifest;
        const answer = command === undefined ? {} : { command };
        const said =
          outcome === "timedOut"
            ? { health: "unknown" as const, detail: `no answer within ${checkTimeoutMs} ms` }
            : { health: instance.health, ...detailOf(instance) };
        emit({ type: "ServiceChecked", data: { ...placeOf(instance.spec), ...answer, ...said } });
      });
    },
    reportStatus(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      const { spec, runner } = instance;
      runner.status(spec.manifest.checkTimeoutMs).then(
        (report) => {
          const bytes = Buffer.byteLength(JSON.stringify(report));
          if (bytes > limits.reportBytesMax) {
            const reason = `the status of ${spec.instance} has ${bytes} bytes, ${limits.reportBytesMax} are allowed`;
            refuse(command, "HAL_TOO_LARGE", reason);
            return;
          }
          const answer = command === undefined ? {} : { command };
          const data = { ...placeOf(spec), ...answer, report: report as never };
          emit({ type: "ServiceReported", data });
        },
        (error: unknown) => refuseError(command, error),
      );
    },
    reconfigure(action, command) {
      const instance = find(action.instance, command);
      if (instance === null) return;
      const { spec, runner } = instance;
      const outcome = checkConfig(spec.manifest, action.config);
      if (outcome.type === "invalid") {
        refuse(command, "HAL_SCHEMA_VIOLATION", outcome.reason);
        return;
      }
      runner.reconfigure(outcome.config, spec.manifest.startTimeoutMs).then(
        (done) => {
          if (done === "restart") {
            const reason = `${spec.instance} cannot take a configuration while it runs; restart it`;
            refuse(command, "HAL_CONFLICT", reason);
            return;
          }
          const answer = command === undefined ? {} : { command };
          const configuration = action.configHash;
          instance.configuration = configuration;
          const data = { ...placeOf(spec), ...answer, configuration };
          emit({ type: "ServiceReconfigured", data });
        },
        (error: unknown) => refuseError(command, error),
      );
    },
    async call(id, message, args, timeoutMs): Promise<Json> {
      const instance = instances.get(id);
      if (instance?.state !== "running") {
        throw new HalonError("HAL_SERVICE_NOT_RUNNING", `${id} does not run on ${node}.`);
      }
      return await instance.runner.call(message, args, timeoutMs);
    },
  };
}

function detailOf(instance: Instance): { detail?: string } {
  return instance.healthDetail === undefined ? {} : { detail: instance.healthDetail };
}
