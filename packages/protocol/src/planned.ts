import { z } from "zod";

/** Some of what there is, and how many more. */
function bounded<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), more: z.number() });
}

/**
 * What would follow when a cluster file were applied now, decided on a copy of the coordinator's state.
 *
 * Nodes are taken to do at once what they are told. Nothing of it is in the log.
 */
export const PlannedActions = z.object({
  /** Rules that would act, in order; each with what it first says, and how often it would. */
  rules: bounded(z.object({ rule: z.string(), why: z.string(), times: z.number() })),
  /** Resources that would change, `<kind>/<id>`. */
  resources: bounded(z.object({ action: z.enum(["add", "change", "remove"]), key: z.string() })),
  /** Commands that would be sent. */
  commands: bounded(z.object({ command: z.string(), target: z.string(), node: z.string() })),
  /** Events that rules would publish. */
  events: bounded(z.object({ type: z.string(), rule: z.string(), times: z.number() })),
  /** Rule files that could not take part, and why; such a file would be in quarantine. */
  failures: z.array(z.object({ file: z.string(), reason: z.string() })),
  /** Why not all that follows was decided. Absent: all was. */
  cut: z.string().optional(),
});
export type PlannedActions = z.infer<typeof PlannedActions>;
