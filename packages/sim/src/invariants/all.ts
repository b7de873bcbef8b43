import { bounds } from "./bounds.ts";
import { checkQuorum } from "./check-quorum.ts";
import { commitMonotonic } from "./commit-monotonic.ts";
import { configurationSafety } from "./configuration-safety.ts";
import { confirmedLeaders } from "./confirmed-leaders.ts";
import { durablePromises } from "./durable-promises.ts";
import { electionSafety } from "./election-safety.ts";
import { equalStates, snapshotsEqualReplay } from "./equal-states.ts";
import { freshAnswers } from "./fresh-answers.ts";
import { hostAgreement } from "./host-agreement.ts";
import { hostAnswers } from "./host-answers.ts";
import { hostBounds } from "./host-bounds.ts";
import { hostEpochs } from "./host-epochs.ts";
import { hostLiveness } from "./host-liveness.ts";
import { hostState } from "./host-state.ts";
import type { Invariants } from "./invariant.ts";
import { leaderAppendOnly } from "./leader-append-only.ts";
import { leaderCompleteness } from "./leader-completeness.ts";
import { leaseSafety } from "./lease-safety.ts";
import { linearizable } from "./linearizable.ts";
import { liveness } from "./liveness.ts";
import { logMatching } from "./log-matching.ts";
import { matchIndex } from "./match-index.ts";
import { silentWhenGone } from "./silent-when-gone.ts";
import { stateMachineSafety } from "./state-machine-safety.ts";
import { termMonotonic } from "./term-monotonic.ts";

/** The invariants of one run, in the order in which they look at a step. */
export function createInvariants(): Invariants {
  const all = [
    electionSafety(),
    leaderAppendOnly(),
    logMatching(),
    leaderCompleteness(),
    stateMachineSafety(),
    commitMonotonic(),
    termMonotonic(),
    durablePromises(),
    configurationSafety(),
    matchIndex(),
    hostState(),
    hostAgreement(),
    hostEpochs(),
    hostAnswers(),
    confirmedLeaders(),
    hostBounds(),
    equalStates(),
    snapshotsEqualReplay(),
    silentWhenGone(),
    freshAnswers(),
    leaseSafety(),
    bounds(),
    linearizable(),
    checkQuorum(),
    liveness(),
    hostLiveness(),
  ];
  return {
    all,
    afterStep: all.filter(({ afterStep }) => afterStep !== undefined),
    beforeSend: all.filter(({ beforeSend }) => beforeSend !== undefined),
  };
}
