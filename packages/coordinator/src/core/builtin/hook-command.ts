import { compareText, type HookCommand, instanceId, slotId } from "@halon/protocol";
import type { Context } from "./context.ts";
import { isOpen } from "./node-mode.ts";

/** Beyond the hook's own deadline: the way to the node and back. */
const answerDeadlineMs = 10_000;

export interface SentHook {
  /** `halon-<hook>@<target>#<n>`: names the attempt, never used twice. */
  readonly instance: string;
  /** The node that runs it. */
  readonly node: string;
}

/**
 * Has a hook of the cluster file run once about the target, on another node: the first in name order that is up and
 * active. Undefined when there is none. Its end is HookEnded, CommandRefused or CommandExpired.
 */
export function sendHook(
  context: Context,
  hook: "fence" | "recover",
  target: string,
  command: HookCommand,
): SentHook | undefined {
  const [runner] = context.graph
    .list("Node")
    .filter((node) => node.id !== target && isOpen(node))
    .sort((a, b) => compareText(a.id, b.id));
  if (runner === undefined) return undefined;
  const service = `halon-${hook}`;
  const counter = `hooks/${hook}/${target}`;
  const number = Number(context.memory.get(counter) ?? 0) + 1;
  context.memory.set(counter, number);
  const instance = instanceId(slotId(service, target), number);
  context.command.send(
    runner.id,
    {
      type: "RunHook",
      service,
      instance,
      hook,
      target,
      command: [...command.command],
      timeoutMs: command.timeoutMs,
    },
    { deadlineMs: command.timeoutMs + answerDeadlineMs },
  );
  context.why(`${runner.id} runs the ${hook} command for ${target}`);
  return { instance, node: runner.id };
}
