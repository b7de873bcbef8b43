export { CommandIntake, type CommandVerdict } from "./command-intake.ts";
export {
  EventQueue,
  eventsWaitingMax,
  type NodeEvent,
  type NumberedNodeEvent,
} from "./event-queue.ts";
export { graceMs, Liveness, lostAfterMs, type Observation } from "./liveness.ts";
export { clusterStatus, type Leadership, operationStatus } from "./status.ts";
