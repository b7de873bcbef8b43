/** What a run has met, by name. Rare states are counted so that a long run can prove that it met them. */
export interface Counters {
  leaderCrashWithUncommittedTail: number;
  snapshotInstalled: number;
  snapshotInstallInterrupted: number;
  changeUnderPartition: number;
  tornTail: number;
  truncationOfTen: number;
  diskFull: number;
  corruptRecord: number;
  preVoteRejection: number;
  voteSplit: number;
  hostAppendUnknown: number;
  hostStateInstalled: number;
  hostSnapshotWhileSaving: number;
  leaderCampaigns: number;
  supersededLeaderAsked: number;
  leadConfirmed: number;
  hostAppends: number;
  mixedSnapshots: number;
  elections: number;
  membersChanged: number;
  leaderTransfers: number;
  crashWhileBeginning: number;
  helloTwice: number;
  crashes: number;
  faults: number;
  answered: number;
  unknown: number;
  takeovers: number;
  takeoverWithWaitingEvents: number;
  appendOutcomeUnknown: number;
  exclusiveMoved: number;
  leaseEndedByKeeper: number;
  processAdopted: number;
  strayEnded: number;
  commandRefusedAsStale: number;
  deposedSends: number;
  eventSentAgain: number;
  breakerTripped: number;
  configurationTakenBack: number;
  operationOutlivedCoordinator: number;
  suspectedAndTrusted: number;
  nodeLostAndBack: number;
  serviceBroken: number;
  serviceMoved: number;
  servicesLaunched: number;
  records: number;
  jobsEnded: number;
  takeoverAmidJobs: number;
  timersLateByOutage: number;
}

export const noCounts: Counters = {
  leaderCrashWithUncommittedTail: 0,
  snapshotInstalled: 0,
  snapshotInstallInterrupted: 0,
  changeUnderPartition: 0,
  tornTail: 0,
  truncationOfTen: 0,
  diskFull: 0,
  corruptRecord: 0,
  preVoteRejection: 0,
  voteSplit: 0,
  hostAppendUnknown: 0,
  hostStateInstalled: 0,
  hostSnapshotWhileSaving: 0,
  leaderCampaigns: 0,
  supersededLeaderAsked: 0,
  leadConfirmed: 0,
  hostAppends: 0,
  mixedSnapshots: 0,
  elections: 0,
  membersChanged: 0,
  leaderTransfers: 0,
  crashWhileBeginning: 0,
  helloTwice: 0,
  crashes: 0,
  faults: 0,
  answered: 0,
  unknown: 0,
  takeovers: 0,
  takeoverWithWaitingEvents: 0,
  appendOutcomeUnknown: 0,
  exclusiveMoved: 0,
  leaseEndedByKeeper: 0,
  processAdopted: 0,
  strayEnded: 0,
  commandRefusedAsStale: 0,
  deposedSends: 0,
  eventSentAgain: 0,
  breakerTripped: 0,
  configurationTakenBack: 0,
  operationOutlivedCoordinator: 0,
  suspectedAndTrusted: 0,
  nodeLostAndBack: 0,
  serviceBroken: 0,
  serviceMoved: 0,
  servicesLaunched: 0,
  records: 0,
  jobsEnded: 0,
  takeoverAmidJobs: 0,
  timersLateByOutage: 0,
};

/** States that a run of a thousand seeds or more must reach in at least one seed of a hundred. */
export const rareStates: readonly (keyof Counters)[] = [
  "leaderCrashWithUncommittedTail",
  "snapshotInstalled",
  "snapshotInstallInterrupted",
  "changeUnderPartition",
  "tornTail",
  "truncationOfTen",
  "diskFull",
  "corruptRecord",
  "preVoteRejection",
  "voteSplit",
];

/** The same of runs with hosts, of which there must be any. */
export const rareHostStates: readonly (keyof Counters)[] = [
  "hostAppendUnknown",
  "hostStateInstalled",
  "hostSnapshotWhileSaving",
  "leaderCampaigns",
];

/** The same of the profile `cluster`, judged from fewer seeds, as each has more in it. */
export const rareClusterStates: readonly (keyof Counters)[] = [
  "takeoverWithWaitingEvents",
  "appendOutcomeUnknown",
  "exclusiveMoved",
  "leaseEndedByKeeper",
  "processAdopted",
  "strayEnded",
  "eventSentAgain",
  "breakerTripped",
  "configurationTakenBack",
  "operationOutlivedCoordinator",
  "suspectedAndTrusted",
  "nodeLostAndBack",
  "serviceBroken",
  "serviceMoved",
  "snapshotInstalled",
  "crashWhileBeginning",
  "membersChanged",
];

/** The same of the profile `jobs`. */
export const rareJobStates: readonly (keyof Counters)[] = [
  "takeoverAmidJobs",
  "timersLateByOutage",
  "appendOutcomeUnknown",
  "eventSentAgain",
  "snapshotInstalled",
];
