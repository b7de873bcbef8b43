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
  ProcessOptions,
  ProcessServiceOptions,
  ReadyOptions,
  RestartOptions,
  ServiceContext,
  ServiceDefinition,
  ServiceHandlers,
  WorkerServiceOptions,
} from "./definition.ts";
