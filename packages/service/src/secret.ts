import { z } from "zod";

/** `secretKeyword` of the protocol, which every worker would have to load with all its schemas. */
const secretKeyword = "x-halon-secret";

/**
 * A field of a configuration that is a secret, as text.
 *
 * Where the service is deployed it is given by reference, `{ "$secret": "file:/path" }` or `{ "$secret": "env:NAME" }`;
 * the node that runs the service reads it at the start, and the service finds the text. The graph, the log and all that
 * is shown have the reference only.
 */
export function secret(): z.ZodString {
  return z.string().meta({ [secretKeyword]: true });
}
