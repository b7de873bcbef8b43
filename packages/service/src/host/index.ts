export { checkRuleFile, type RuleFileCheck, type TypeProblem } from "./compile/check-rules.ts";
export {
  type CompileClusterOptions,
  compileCluster,
  compileClusterFile,
} from "./compile/compile-cluster.ts";
export { compileRuleFile } from "./compile/compile-rules.ts";
export { compileServiceFile } from "./compile/compile-service.ts";
export type { Blob, CompiledCluster, CompiledRules, CompiledService } from "./compile/compiled.ts";
export { linkPackages } from "./compile/links.ts";
export { conformService } from "./conform/conform.ts";
export {
  type CheckName,
  type CheckOutcome,
  type CheckReport,
  type ConformOptions,
  type ConformReport,
  checkTitles,
} from "./conform/report.ts";
export { startKept } from "./keeper/index.ts";
export { monotonicMs } from "./monotonic.ts";
export { startNodeProcess } from "./node-process/index.ts";
export { adoptOcf } from "./ocf/adopt.ts";
export { type AgentDescription, describeAgent } from "./ocf/describe.ts";
export { startOcf } from "./ocf/runner.ts";
export { inheritedEnvironment } from "./process/environment.ts";
export { adoptProcesses, startProcess } from "./process/index.ts";
export type {
  Lease,
  Runner,
  RunnerEvent,
  RunnerSpec,
  ServiceDirectory,
  StartRunner,
} from "./runner.ts";
export { checkConfig } from "./runtime/configuration.ts";
export { createRuntime } from "./runtime/create-runtime.ts";
export type {
  ActionOf,
  Adopt,
  Answer,
  Runtime,
  RuntimeEvent,
  RuntimeOptions,
} from "./runtime/runtime.ts";
export { configValuesOf, type Redactor, redactorOf } from "./runtime/secrets.ts";
export { startSystemd } from "./systemd/runner.ts";
export { harmless, readOutput } from "./worker/output-log.ts";
export { startWorker } from "./worker/start-worker.ts";
