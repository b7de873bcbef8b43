export { adoptProcesses, startProcess } from "./process/index.ts";
export type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "./runner.ts";
export { createRuntime } from "./runtime/create-runtime.ts";
export type {
  ActionOf,
  Adopt,
  Runtime,
  RuntimeEvent,
  RuntimeOptions,
} from "./runtime/runtime.ts";
export { harmless, readOutput } from "./worker/output-log.ts";
export { startWorker } from "./worker/start-worker.ts";
