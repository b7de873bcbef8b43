import { z } from "zod";
import { AlertSeverity } from "./effect.ts";
import { JsonValue } from "./json.ts";
import { Health, InstanceState, NodeRole, NodeState } from "./kind.ts";

/** An alert that stands. */
export const AlertEntry = z.object({
  /** Id of the resource: `<file>/<key>`. */
  alert: z.string(),
  key: z.string(),
  /** `<file>/<rule>` that raised it last. */
  rule: z.string(),
  severity: AlertSeverity,
  text: z.string(),
  since: z.string(),
  /** How often it was raised while it stood. */
  count: z.number(),
});
export type AlertEntry = z.infer<typeof AlertEntry>;

/** `GET /v1/status`; the shape is fixed (rfc/0003). */
export const ClusterStatus = z.object({
  cluster: z.object({
    id: z.string(),
    leader: z.string().nullable(),
    epoch: z.number(),
    revision: z.number(),
    state: z.enum(["healthy", "degraded", "unavailable"]),
    /** Too many nodes were lost at once; nothing is moved off them until a person says so. */
    breaker: z
      .object({ since: z.string(), reason: z.string(), nodes: z.array(z.string()) })
      .optional(),
    /** Why it is not healthy, a sentence each. */
    reasons: z.array(z.string()).optional(),
  }),
  nodes: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      role: NodeRole,
      state: NodeState,
      since: z.string(),
      labels: z.record(z.string(), z.string()),
      reason: z.string().optional(),
      recovery: z.string().optional(),
    }),
  ),
  services: z.array(
    z.object({
      service: z.string(),
      type: z.string(),
      version: z.string(),
      node: z.string(),
      instance: z.string(),
      incarnation: z.number(),
      state: InstanceState,
      health: Health,
      osPid: z.number().optional(),
      restarts: z.number(),
      since: z.string(),
      reason: z.string().optional(),
    }),
  ),
  /** That stand: the most severe first, then the oldest. */
  alerts: z.array(AlertEntry).default([]),
});
export type ClusterStatus = z.infer<typeof ClusterStatus>;

/** `GET /v1/operations/O`. */
export const OperationStatus = z.object({
  operation: z.string(),
  action: z.string(),
  target: z.string(),
  state: z.enum(["running", "done", "failed"]),
  reason: z.string().optional(),
  waiting: z.array(z.string()),
  answers: z.record(z.string(), JsonValue).optional(),
  since: z.string(),
});
export type OperationStatus = z.infer<typeof OperationStatus>;

/** One line of `event list`: an event of the log, with what came of it. */
export const EventEntry = z.object({
  index: z.number(),
  position: z.number(),
  id: z.string(),
  type: z.string(),
  source: z.string(),
  time: z.string(),
  logTime: z.number(),
  data: JsonValue,
  rules: z.array(z.object({ rule: z.string(), why: z.string(), commands: z.array(z.string()) })),
  /** The rule file in quarantine for which it is kept. */
  kept: z.string().optional(),
  dead: z.string().optional(),
});
export type EventEntry = z.infer<typeof EventEntry>;
