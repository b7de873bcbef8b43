export { defaultLimits, type Limits } from "./limits.ts";
export { type Listener, type ListenOptions, listen } from "./listen.ts";
export type {
  ApiPorts,
  EventCursor,
  EventQuery,
  GraphFormat,
  NodeIdentity,
  RuleEntry,
  Staleness,
} from "./ports.ts";
