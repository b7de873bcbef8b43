import { z } from "zod";
import { Asked, CallHeaders, CallUrl, ProgramArguments, ProgramName } from "./effect.ts";
import { CommandId, Hash, InstanceId, Name } from "./id.ts";
import { JsonValue } from "./json.ts";
import { ServiceManifest } from "./manifest.ts";

const Instance = { service: Name, instance: InstanceId };

/**
 * What the coordinator tells a node to do.
 *
 * Each is idempotent by the instance it names, so it may be sent again until it is answered.
 */
export const CommandAction = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("StartService"),
    ...Instance,
    manifest: ServiceManifest,
    config: z.record(z.string(), JsonValue),
    configHash: Hash,
    /** Of a cluster-exclusive service: it may run only while its node holds the lease. */
    lease: z
      .strictObject({
        token: z.number().int().min(1),
        leaseMs: z.number().int().min(100).max(600_000),
      })
      .optional(),
  }),
  z.strictObject({ type: z.literal("StopService"), ...Instance, reason: z.string() }),
  z.strictObject({
    type: z.literal("CheckService"),
    ...Instance,
    /** What its watchers on other nodes say; then it is ended, as a failure, when it does not answer or is not alive. */
    doubt: z.string().max(2_000).optional(),
  }),
  z.strictObject({ type: z.literal("ReportStatus"), ...Instance }),
  z.strictObject({
    type: z.literal("ReconfigureService"),
    ...Instance,
    config: z.record(z.string(), JsonValue),
    configHash: Hash,
  }),
  /** What the coordinator makes of a trouble that the service has told of. */
  z.strictObject({
    type: z.literal("AnswerTrouble"),
    ...Instance,
    ref: z.string().max(128),
    answer: z.enum(["goOn", "restart", "stop"]),
    data: JsonValue.optional(),
  }),
  /** Runs a program of the cluster file once. `instance` is the attempt: `halon-<hook>@<target>#<n>`. */
  z.strictObject({
    type: z.literal("RunHook"),
    ...Instance,
    hook: z.enum(["fence", "recover"]),
    target: Name,
    command: z.array(z.string()),
    timeoutMs: z.number().int(),
  }),
  /** Ends the node's supervisor and starts it again with the set that the graph holds. */
  z.strictObject({ type: z.literal("RestartSupervisor"), ...Instance, reason: z.string() }),
  /** Runs a program of the node's allow-list, once at most: the id of the command is the attempt. */
  z.strictObject({
    type: z.literal("RunProgram"),
    ...Instance,
    name: ProgramName,
    args: ProgramArguments,
    timeoutMs: z.number().int(),
    ref: z.string(),
    asked: Asked,
  }),
  /** Posts JSON to a webhook; again after failures, with an Idempotency-Key made of the command's id. */
  z.strictObject({
    type: z.literal("CallWebhook"),
    ...Instance,
    url: CallUrl,
    headers: CallHeaders,
    body: JsonValue,
    attempts: z.number().int(),
    timeoutMs: z.number().int(),
    ref: z.string(),
    asked: Asked,
  }),
]);
export type CommandAction = z.infer<typeof CommandAction>;
export type CommandType = CommandAction["type"];

/** A command in the outbox and on the wire. */
export const Command = z.strictObject({
  id: CommandId,
  /** The coordinator's epoch; a node refuses one that is below the highest it has seen. */
  epoch: z.number().int(),
  node: Name,
  /** Log time, in ms, after which nobody waits for an answer. */
  deadline: z.number(),
  action: CommandAction,
});
export type Command = z.infer<typeof Command>;

/** Who answers what: the table in the README of this package is held equal to this one. */
export const commandAnswers: Readonly<Record<CommandType, readonly string[]>> = {
  StartService: ["ServiceStarted", "ServiceCouldNotStart", "CommandRefused"],
  StopService: ["ServiceStopped", "CommandRefused"],
  CheckService: ["ServiceChecked", "CommandRefused"],
  ReportStatus: ["ServiceReported", "CommandRefused"],
  ReconfigureService: ["ServiceReconfigured", "CommandRefused"],
  AnswerTrouble: ["TroubleAnswered", "CommandRefused"],
  RunHook: ["HookEnded", "CommandRefused"],
  RestartSupervisor: ["SupervisorStarted", "CommandRefused"],
  RunProgram: ["ProgramEnded", "CommandRefused"],
  CallWebhook: ["WebhookEnded", "CommandRefused"],
};
