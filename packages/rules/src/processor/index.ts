export {
  type FileFlaw,
  type FileStatus,
  Processor,
  type ProcessorHost,
  type ProcessorRules,
  type Published,
  type TakenEvent,
  throwsMax,
} from "./engine.ts";
