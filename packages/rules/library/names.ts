import { z } from "@halon/rules";

/** An option that is the name of a service, a node or a group. */
export const Name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,62})$/, "expected a name of a-z, 0-9 and -");

/** How urgent an alert is. */
export const Severity = z.enum(["info", "warning", "critical"]);
