import type { LifecycleEffect } from "./lifecycle.ts";
import type { InstanceSpec } from "./site-input.ts";
import { emit, type Instance, type SiteState, type Turn } from "./site-state.ts";

/** As much as an event takes of a reason. */
export const reasonCharsMax = 4_000;
/** Ends that are remembered: many more than starts can be on their way to one node. */
const endedMax = 20_000;

/** What every event about an instance begins with. */
export function placeOf(
  { options }: SiteState,
  { service, instance }: Pick<InstanceSpec, "service" | "instance">,
) {
  return { node: options.node, service, instance };
}

/** The command that an event answers, if it answers one. */
export function answerTo(command: string | undefined): { readonly command?: string } {
  return command === undefined ? {} : { command };
}

/** Tells how an instance ended. */
export type EndEffect = Extract<
  LifecycleEffect,
  { type: "reportCouldNotStart" | "reportFailed" | "reportExited" | "reportStopped" }
>;

/** Tells how it ended, and answers every command that waits for it. */
export function reportEnd(
  state: SiteState,
  turn: Turn,
  { spec, startCommands, stopCommands, healthyMs }: Instance,
  effect: EndEffect,
): void {
  const at = placeOf(state, spec);
  noteEnded(state, spec.instance);
  const stopped = (answer: { command?: string }) => {
    const exit = effect.type === "reportCouldNotStart" ? {} : { exit: effect.exit };
    emit(turn, { type: "ServiceStopped", data: { ...at, ...answer, ...exit } });
  };
  switch (effect.type) {
    case "reportCouldNotStart":
      couldNotStart(state, turn, spec, { commands: startCommands, ...effect.cause });
      break;
    case "reportFailed": {
      const { exit } = effect;
      const { reason, cause = "announced", failureCode } = effect.cause;
      const code = failureCode === undefined ? {} : { code: failureCode };
      const data = { ...at, reason, healthyMs: Math.round(healthyMs), exit, cause, ...code };
      emit(turn, { type: "ServiceFailed", data });
      refuseStarts(state, turn, spec, startCommands);
      break;
    }
    case "reportExited": {
      const { reason, exit } = effect;
      emit(turn, { type: "ServiceExited", data: { ...at, reason, exit } });
      refuseStarts(state, turn, spec, startCommands);
      break;
    }
    case "reportStopped":
      refuseStarts(state, turn, spec, startCommands);
      if (stopCommands.size === 0) stopped({});
  }
  for (const command of stopCommands) stopped({ command });
}

/** Remembers that the end of an instance was told: it has ended for good, whatever start of it comes yet. */
export function noteEnded({ ended }: SiteState, instance: string): void {
  ended.delete(instance);
  ended.add(instance);
  if (ended.size <= endedMax) return;
  for (const oldest of ended) {
    ended.delete(oldest);
    return;
  }
}

/** Answers the start commands that wait, or tells that it runs when none does. */
export function reportStarted(state: SiteState, turn: Turn, instance: Instance): void {
  const { spec, configuration } = instance;
  for (const command of answers(instance.startCommands)) {
    const data = { ...placeOf(state, spec), ...command, configuration };
    emit(turn, { type: "ServiceStarted", data });
  }
  instance.startCommands.clear();
}

/** Answers the start of what nothing runs of. */
export function couldNotStart(
  state: SiteState,
  turn: Turn,
  spec: Pick<InstanceSpec, "service" | "instance">,
  told: {
    readonly commands: ReadonlySet<string>;
    readonly code: string;
    readonly reason: string;
    readonly holder?: string | undefined;
  },
): void {
  const { code, holder } = told;
  const reason = told.reason.slice(0, reasonCharsMax);
  const known = holder === undefined ? {} : { holder };
  for (const command of answers(told.commands)) {
    const data = { ...placeOf(state, spec), ...command, code, reason, ...known };
    emit(turn, { type: "ServiceCouldNotStart", data });
  }
}

/** Refuses a command; nobody is told where there is none. */
export function refuse(
  { options: { node } }: SiteState,
  turn: Turn,
  command: string | undefined,
  { code, reason }: { readonly code: string; readonly reason: string },
): void {
  if (command === undefined) return;
  const data = { node, command, code, reason: reason.slice(0, reasonCharsMax) };
  emit(turn, { type: "CommandRefused", data });
}

/** Commands that wait for a start that an end overtook are answered, and not as a failure. */
export function refuseStarts(
  state: SiteState,
  turn: Turn,
  { instance }: Pick<InstanceSpec, "instance">,
  commands: ReadonlySet<string>,
): void {
  const reason = `${instance} has ended before this start was answered`;
  for (const command of commands) refuse(state, turn, command, { code: "HAL_CONFLICT", reason });
}

/** One answer per waiting command; without a command, the event by itself. */
function answers(commands: ReadonlySet<string>): readonly { command?: string }[] {
  return commands.size === 0 ? [{}] : [...commands].map((command) => ({ command }));
}
