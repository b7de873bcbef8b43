import type { ClusterInvariant } from "./cluster-invariant.ts";
import { commandsOnce } from "./commands-once.ts";
import { epochs } from "./epochs.ts";
import { exactlyOnce } from "./exactly-once.ts";
import { exclusive } from "./exclusive.ts";
import { notAgain } from "./not-again.ts";
import { oneOnANode } from "./one-on-a-node.ts";

/** The rules of one run of the profile `cluster`, in the order in which they are told. */
export function clusterInvariants(): readonly ClusterInvariant[] {
  return [epochs(), exactlyOnce(), commandsOnce(), oneOnANode(), exclusive(), notAgain()];
}
