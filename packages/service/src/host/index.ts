export type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "./runner.ts";
export type {
  ActionOf,
  Adopt,
  Adopted,
  Runtime,
  RuntimeEvent,
  RuntimeOptions,
} from "./runtime/runtime.ts";
