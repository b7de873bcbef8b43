import { Duration, HookCommand, NodePolicy } from "@halon/protocol";
import { z } from "zod";

const policy = NodePolicy.shape;
const Command = HookCommand.shape.command;
const Timeout = Duration.pipe(HookCommand.shape.timeoutMs.unwrap()).optional();

/** `nodes` of a cluster file; durations are in ms once it is parsed. */
export const NodesSection = z.strictObject({
  recover: z
    .strictObject({
      every: Duration.pipe(policy.recoverEveryMs.unwrap()).optional(),
      attempts: policy.recoverAttempts.unwrap().optional(),
      command: Command.optional(),
      timeout: Timeout,
    })
    .refine(({ command, timeout }) => command !== undefined || timeout === undefined, {
      message: "expected a command that timeout limits",
      path: ["command"],
    })
    .default({}),
  fence: z.strictObject({ command: Command, timeout: Timeout }).optional(),
  breaker: z
    .strictObject({
      nodes: policy.breakerNodes.unwrap().optional(),
      share: policy.breakerShare.unwrap().optional(),
      within: Duration.pipe(policy.breakerWindowMs.unwrap()).optional(),
    })
    .default({}),
});

/** What the cluster keeps of it: with the standard where the file says nothing. */
export function nodePolicyOf({
  recover,
  fence,
  breaker,
}: z.infer<typeof NodesSection>): NodePolicy {
  return NodePolicy.parse({
    recoverEveryMs: recover.every,
    recoverAttempts: recover.attempts,
    ...(recover.command === undefined ? {} : { recover: hookOf(recover.command, recover.timeout) }),
    ...(fence === undefined ? {} : { fence: hookOf(fence.command, fence.timeout) }),
    breakerNodes: breaker.nodes,
    breakerShare: breaker.share,
    breakerWindowMs: breaker.within,
  });
}

function hookOf(command: readonly string[], timeoutMs: number | undefined): object {
  return { command, timeoutMs };
}
