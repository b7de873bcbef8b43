import { allJoined } from "./all-joined.ts";
import { allRuns } from "./all-runs.ts";
import { clusterBounds } from "./cluster-bounds.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";
import { commandsOnce } from "./commands-once.ts";
import { epochs } from "./epochs.ts";
import { equalFolds } from "./equal-folds.ts";
import { exactlyOnce } from "./exactly-once.ts";
import { exclusive } from "./exclusive.ts";
import { expectedInputs } from "./expected-inputs.ts";
import { fairLosses } from "./fair-losses.ts";
import { graphWhole } from "./graph-whole.ts";
import { joinedOnce } from "./joined-once.ts";
import { leftAlone } from "./left-alone.ts";
import { notAgain } from "./not-again.ts";
import { nothingStuck } from "./nothing-stuck.ts";
import { oneAgency } from "./one-agency.ts";
import { oneCluster } from "./one-cluster.ts";
import { oneOnANode } from "./one-on-a-node.ts";
import { restartPolicy } from "./restart-policy.ts";
import { setupsKept } from "./setups-kept.ts";
import { wishesEnd } from "./wishes-end.ts";

/** The rules of one run of the profile `cluster`, in the order in which they are told: C1 to C21. */
export function clusterInvariants(): readonly ClusterInvariant[] {
  return [
    epochs(),
    exactlyOnce(),
    commandsOnce(),
    oneOnANode(),
    exclusive(),
    notAgain(),
    nothingStuck(),
    graphWhole(),
    equalFolds(),
    restartPolicy(),
    clusterBounds(),
    fairLosses(),
    expectedInputs(),
    leftAlone(),
    wishesEnd(),
    allRuns(),
    oneCluster(),
    oneAgency(),
    joinedOnce(),
    setupsKept(),
    allJoined(),
  ];
}
