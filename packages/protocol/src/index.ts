export { Command, CommandAction, type CommandType, commandAnswers } from "./command.ts";
export {
  contradictionIn,
  type KnownCluster,
  knownClusterIn,
  type PlacementWishes,
} from "./contradiction.ts";
export { DeadLetterEntry, DeadLetterList } from "./dead-letter.ts";
export { doubtText } from "./doubt.ts";
export { Duration } from "./duration.ts";
export {
  AlertSeverity,
  Asked,
  CallHeaders,
  CallUrl,
  effectTextMax,
  ProgramArguments,
  ProgramName,
  RunOutcome,
  shownUrl,
} from "./effect.ts";
export {
  type ErrorCode,
  type ErrorData,
  errorCodes,
  fromErrorData,
  HalonError,
  toErrorData,
} from "./error-code.ts";
export * as events from "./event.ts";
export { builtInEvents } from "./event.ts";
export { InternalPart, InventoryInstance } from "./event-node.ts";
export { JobRequester } from "./event-rule.ts";
export { type Exit, FailureCause } from "./event-service.ts";
export {
  type DataOf,
  defineEvent,
  type EventEnvelope,
  type EventSender,
  type EventType,
} from "./event-type.ts";
export {
  type Change,
  type Delta,
  type GraphUpdate,
  type GraphView,
  keyOf,
  type Relation,
  type Resource,
  type ResourceKey,
  splitKey,
} from "./graph-view.ts";
export {
  AgencySize,
  ClusterConfig,
  HelloRequest,
  HostPort,
  helloProtocol,
  Peer,
  peersMax,
} from "./hello.ts";
export {
  ClientEventId,
  CommandId,
  commandId,
  compareCommandIds,
  Hash,
  InstanceId,
  instanceId,
  Name,
  SlotId,
  slotId,
} from "./id.ts";
export { canonicalJson, compareText, type Json, type JsonObject, JsonValue } from "./json.ts";
export {
  type AttributesOf,
  type BuiltInKind,
  builtInKinds,
  Doubt,
  Health,
  HookCommand,
  InstanceState,
  NodeMode,
  NodePolicy,
  NodeRole,
  NodeState,
  OnNodeLoss,
  Placement,
  ProcessorFile,
  ResourceKindName,
  RestartPolicy,
  ServiceKind,
  watchersMax,
} from "./kind.ts";
export {
  ClusterSpec,
  DeploymentSpec,
  JsonSchema,
  OcfManifest,
  ProcessCheck,
  ProcessManifest,
  ReadyCheck,
  RuleFileManifest,
  ServiceManifest,
  SystemdManifest,
} from "./manifest.ts";
export {
  AggregateDescription,
  AggregateType,
  type Contribution,
  Overflow,
  PatternDescription,
} from "./pattern.ts";
export { PlannedActions } from "./planned.ts";
export type {
  Decision,
  DecisionRecord,
  Firing,
  Origin,
  RuleContribution,
  TimerChange,
} from "./record.ts";
export {
  knownRuleFilesIn,
  type RuleFileTypes,
  ruleContradictionIn,
} from "./rule-contradiction.ts";
export {
  ConfiguredRules,
  type OptionText,
  optionTexts,
  RuleFileVersion,
  RuleOptions,
  ruleOptionsMax,
} from "./rule-file.ts";
export { isSecretReference, SecretReference, secretKeyword, secretProblem } from "./secret.ts";
export { AlertEntry, ClusterStatus, EventEntry, OperationStatus } from "./status.ts";
