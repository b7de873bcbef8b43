import { type Command, type CommandAction, events, type RunOutcome } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import type { Context } from "./context.ts";

type RunAction = Extract<CommandAction, { type: "RunProgram" }>;

interface RunEnd {
  readonly outcome: RunOutcome;
  readonly exit?: number | undefined;
  readonly output?: string;
  readonly reason?: string | undefined;
}

/** Rules on programs that rules have had run. */
export const runRules: Readonly<Record<string, Rule>> = {
  "program-ended": on(events.ProgramEnded).do((context) => {
    const { node, outcome, exit, output, reason } = context.event;
    const action = context.command.answered()?.action;
    if (action?.type !== "RunProgram") {
      context.why(`ignored: nobody waits for the end of this program on ${node} any more`);
      return;
    }
    endRun(context, { node, action }, { outcome, exit, output, reason });
  }),
};

/** Tells the rule that asked for it how the run has ended. */
export function endRun(
  context: Context,
  { node, action: { ref, name, asked } }: { readonly node: string; readonly action: RunAction },
  { outcome, exit, output = "", reason }: RunEnd,
): void {
  context.publish(events.RunEnded, {
    ...{ ref, node, name, outcome, output, asked },
    ...(exit === undefined ? {} : { exit }),
    ...(reason === undefined ? {} : { reason }),
  });
  context.why(`${name} on ${node}, asked for by ${asked.rule}: ${outcome}`);
}

/** Whether it is one that `endRun` takes. */
export function isRun(command: Command): command is Command & { readonly action: RunAction } {
  return command.action.type === "RunProgram";
}
