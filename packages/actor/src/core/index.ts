export { describeReason, type ExitEffect, exitEffect } from "./exit-signal.ts";
export {
  type Hello,
  type HelloOutcome,
  helloMismatch,
  type LinkClass,
  parseHello,
} from "./hello.ts";
export { type Envelope, Mailbox, type ReplyTo } from "./mailbox.ts";
export { type RestartDecision, restartDecision } from "./restart.ts";
export {
  backoffMs,
  lookAtPulse,
  type Pulse,
  type PulseLimits,
  type PulseVerdict,
} from "./silence.ts";
