import type { LifecycleEffect } from "../../core/index.ts";
import type { RunnerSpec } from "../runner.ts";
import type { Instance, InstanceHost } from "./instance.ts";

/** What every event about an instance begins with. */
export function placeOf(spec: RunnerSpec) {
  return { node: spec.node, service: spec.service, instance: spec.instance };
}

/** Tells how an instance ended. */
export type EndEffect = Extract<
  LifecycleEffect,
  { type: "reportCouldNotStart" | "reportFailed" | "reportExited" | "reportStopped" }
>;

/** Tells how it ended, and answers every command that waits for it. */
export function reportEnd(
  { spec, startCommands, stopCommands }: Instance,
  host: InstanceHost,
  effect: EndEffect,
  healthyMs: number,
): void {
  const at = placeOf(spec);
  const stopped = (answer: { command?: string }) => {
    const exit = effect.type === "reportCouldNotStart" ? {} : { exit: effect.exit };
    host.emit({ type: "ServiceStopped", data: { ...at, ...answer, ...exit } });
  };
  switch (effect.type) {
    case "reportCouldNotStart": {
      const { code, reason } = effect.cause;
      for (const command of answers(startCommands)) {
        host.emit({ type: "ServiceCouldNotStart", data: { ...at, ...command, code, reason } });
      }
      break;
    }
    case "reportFailed": {
      const { exit } = effect;
      const { reason, cause = "announced", failureCode } = effect.cause;
      const code = failureCode === undefined ? {} : { code: failureCode };
      const data = { ...at, reason, healthyMs, exit, cause, ...code };
      host.emit({ type: "ServiceFailed", data });
      refuseStarts(spec, startCommands, host);
      break;
    }
    case "reportExited": {
      const { reason, exit } = effect;
      host.emit({ type: "ServiceExited", data: { ...at, reason, exit } });
      refuseStarts(spec, startCommands, host);
      break;
    }
    case "reportStopped":
      refuseStarts(spec, startCommands, host);
      if (stopCommands.size === 0) stopped({});
  }
  for (const command of stopCommands) stopped({ command });
}

/** Commands that wait for a start that an end overtook are answered, and not as a failure. */
function refuseStarts(spec: RunnerSpec, commands: ReadonlySet<string>, host: InstanceHost): void {
  const reason = `${spec.instance} has ended before this start was answered`;
  for (const command of commands) {
    const data = { node: spec.node, command, code: "HAL_CONFLICT", reason };
    host.emit({ type: "CommandRefused", data });
  }
}

/** Answers the start commands that wait, or tells that it runs when none does. */
export function reportStarted(instance: Instance, host: InstanceHost): void {
  const { spec, runner } = instance;
  const osPid = runner.osPid === undefined ? {} : { osPid: runner.osPid };
  for (const command of answers(instance.startCommands)) {
    host.emit({
      type: "ServiceStarted",
      data: { ...placeOf(spec), ...command, ...osPid, configuration: instance.configuration },
    });
  }
  instance.startCommands.clear();
}

/** One answer per waiting command; without a command, the event by itself. */
function answers(commands: ReadonlySet<string>): readonly { command?: string }[] {
  return commands.size === 0 ? [{}] : [...commands].map((command) => ({ command }));
}
