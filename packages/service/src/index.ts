export { z } from "zod";
export { defineCluster } from "./define-cluster.ts";
export { defineService, file } from "./define-service.ts";
export type {
  CheckResult,
  ClusterDefinition,
  ClusterOptions,
  ClusterServiceOptions,
  DurationText,
  FileReference,
  InstancePlace,
  MessageSchemas,
  NodeCommandOptions,
  NodesOptions,
  OcfServiceOptions,
  ProcessOptions,
  ProcessServiceOptions,
  ReadyOptions,
  RestartOptions,
  ServiceContext,
  ServiceDefinition,
  ServiceHandlers,
  SystemdOptions,
  SystemdServiceOptions,
  TroubleAnswer,
  WorkerServiceOptions,
} from "./definition.ts";
export { secret } from "./secret.ts";
