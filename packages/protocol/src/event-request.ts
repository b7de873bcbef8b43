import { z } from "zod";
import { defineEvent, Reason } from "./event-type.ts";
import { Name } from "./id.ts";
import { JsonValue } from "./json.ts";
import { ClusterSpec } from "./manifest.ts";
import { ConfiguredRules, RuleOptions } from "./rule-file.ts";

const request = { operation: z.string(), reason: Reason.optional() };
const target = { service: Name, on: Name.optional() };

export const ClusterApplied = defineEvent({
  type: "ClusterApplied",
  schema: z.strictObject({ ...request, spec: ClusterSpec }),
});
export const ServiceStartRequested = defineEvent({
  type: "ServiceStartRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceStopRequested = defineEvent({
  type: "ServiceStopRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceRestartRequested = defineEvent({
  type: "ServiceRestartRequested",
  schema: z.strictObject({ ...request, ...target }),
});
/** A service is to leave a node: for `to`, or for where it would be placed now. */
export const ServiceMoveRequested = defineEvent({
  type: "ServiceMoveRequested",
  schema: z.strictObject({ ...request, service: Name, from: Name, to: Name.optional() }),
});
export const ServiceCheckRequested = defineEvent({
  type: "ServiceCheckRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ServiceStatusRequested = defineEvent({
  type: "ServiceStatusRequested",
  schema: z.strictObject({ ...request, ...target }),
});
export const ConfigurationRequested = defineEvent({
  type: "ConfigurationRequested",
  schema: z.strictObject({
    ...request,
    service: Name,
    config: z.record(z.string(), JsonValue),
    configHash: z.string(),
  }),
});

const nodeTarget = { ...request, node: Name };

export const NodeDrainRequested = defineEvent({
  type: "NodeDrainRequested",
  schema: z.strictObject(nodeTarget),
});
export const NodeResumeRequested = defineEvent({
  type: "NodeResumeRequested",
  schema: z.strictObject(nodeTarget),
});
export const NodeMaintenanceRequested = defineEvent({
  type: "NodeMaintenanceRequested",
  schema: z.strictObject({ ...nodeTarget, on: z.boolean() }),
});
export const NodeRemoveRequested = defineEvent({
  type: "NodeRemoveRequested",
  schema: z.strictObject(nodeTarget),
});
export const BreakerResetRequested = defineEvent({
  type: "BreakerResetRequested",
  schema: z.strictObject(request),
});

const fileTarget = { ...request, file: Name };

/** A person takes a rule file back: out of quarantine, and into force. */
export const RuleEnableRequested = defineEvent({
  type: "RuleEnableRequested",
  schema: z.strictObject(fileTarget),
});
/** A person takes a rule file out of force. */
export const RuleDisableRequested = defineEvent({
  type: "RuleDisableRequested",
  schema: z.strictObject(fileTarget),
});
/**
 * A person changes options of a rule file; what is not named stays, and null takes the default.
 *
 * The coordinator adds what the file makes of them when it takes the event; what a sender puts there does not count.
 */
export const RuleOptionsRequested = defineEvent({
  type: "RuleOptionsRequested",
  schema: z.strictObject({
    ...fileTarget,
    options: RuleOptions,
    configured: ConfiguredRules.optional(),
  }),
});

/** Dead letters by the ids of their events; letters that are not there any more are passed over. */
const letterTarget = {
  ...request,
  events: z.array(z.string().min(1).max(512)).min(1).max(1_000),
};

/** A person has dead letters decided once more. */
export const DeadLetterRetryRequested = defineEvent({
  type: "DeadLetterRetryRequested",
  schema: z.strictObject(letterTarget),
});
/** A person forgets dead letters. */
export const DeadLetterDropRequested = defineEvent({
  type: "DeadLetterDropRequested",
  schema: z.strictObject(letterTarget),
});
