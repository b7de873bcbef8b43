import { HalonError, type Json, type ServiceManifest } from "@halon/protocol";
import { hashOf, schemaFor } from "./configuration.ts";

/**
 * The arguments of a message with their defaults, where the type declares its messages.
 *
 * Throws HAL_NOT_FOUND, with the messages that the type takes, and HAL_SCHEMA_VIOLATION, with the argument.
 */
export function checkArguments(
  { name, messages }: Pick<ServiceManifest, "name" | "messages">,
  message: string,
  args: readonly Json[],
): readonly Json[] {
  if (messages === undefined) return args;
  const schema = Object.hasOwn(messages, message) ? messages[message] : undefined;
  if (schema === undefined) {
    const known = Object.keys(messages).sort().join(", ");
    const takes = known === "" ? "no messages" : known;
    throw new HalonError(
      "HAL_NOT_FOUND",
      `The service type ${name} does not take the message ${JSON.stringify(message.slice(0, 100))}; it takes ${takes}.`,
    );
  }
  const parsed = schemaFor(hashOf(schema), schema).safeParse(args);
  if (parsed.success) return parsed.data as readonly Json[];
  const [issue] = parsed.error.issues;
  const [position, ...path] = issue?.path ?? [];
  if (position === undefined) {
    const bound =
      issue?.code === "too_small"
        ? `at least ${issue.minimum}`
        : issue?.code === "too_big"
          ? `at most ${issue.maximum}`
          : "other";
    const told = `The message ${message} takes ${bound} arguments, got ${args.length}.`;
    throw new HalonError("HAL_SCHEMA_VIOLATION", told);
  }
  const what = (issue?.message ?? "it does not fit").replace(/^Invalid input: /, "");
  const which = `argument ${Number(position) + 1}${path.map((part) => `.${String(part)}`).join("")}`;
  throw new HalonError("HAL_SCHEMA_VIOLATION", `The message ${message}: ${which}: ${what}.`);
}
