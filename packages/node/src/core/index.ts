export { CommandIntake, type CommandVerdict } from "./command-intake.ts";
export {
  EventQueue,
  eventsWaitingMax,
  type NodeEvent,
  type NumberedNodeEvent,
} from "./event-queue.ts";
export {
  type AskOpinions,
  type DetectorOutput,
  FailureDetector,
  type Observation,
  tickMs,
} from "./failure-detector.ts";
export { decodeRecords, encodeRecords, type FramedRecord } from "./journal-frame.ts";
export { chooseLeader, type LeaderAnswers } from "./leader-choice.ts";
export { clusterStatus, type Leadership, operationStatus } from "./status.ts";
export {
  afterEnd,
  firstSupervision,
  type NextStart,
  type Supervision,
  type ThreadEnd,
} from "./supervision.ts";
export { watchersOf } from "./watchers.ts";
