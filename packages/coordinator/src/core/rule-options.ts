import {
  canonicalJson,
  type ErrorData,
  events,
  HalonError,
  type Json,
  type JsonObject,
  toErrorData,
} from "@halon/protocol";
import type { Intake } from "./intake.ts";
import type { CoordinatorState } from "./state.ts";
import type { RuleSet } from "./step.ts";

const requested: string = events.RuleOptionsRequested.type;

/**
 * Adds to a request for other options of a rule file what its code makes of them, or refuses the request.
 *
 * It is asked here, before the event is taken, because whoever folds the log has no code of rule files.
 */
export function withConfigured(
  { graph }: Pick<CoordinatorState, "graph">,
  rules: Pick<RuleSet, "configure" | "running">,
  taken: Intake,
): Intake {
  if (taken.type === "reply" || taken.event.type !== requested) return taken;
  const { configured: _, ...data } = taken.event.data as JsonObject;
  const file = String(data["file"]);
  const known = graph.get("RuleFile", file)?.attributes;
  // The rule on it says that there is no such file.
  if (known === undefined) return { ...taken, event: { ...taken.event, data } };
  if (known.options === undefined)
    return refuse({
      code: "HAL_CONFIG_INVALID",
      message: `The rule file ${file} takes no options.`,
    });
  const options = changed(known.options, data["options"] as JsonObject);
  rules.running?.(file);
  try {
    const configured = rules.configure?.(file, options) ?? null;
    if (configured === null) {
      const why = known.disabled ?? known.quarantined ?? "it is not loaded";
      const message = `The rule file ${file} takes no part, so nobody can say what its options make of it: ${why}. Apply it with other options, or take it back with \`halonctl rule enable ${file}\` first.`;
      return refuse({ code: "HAL_CONFLICT", message });
    }
    // Its members in the order in which the log will have them: rules must not see another.
    const whole = canonicalJson({ ...data, configured: configured as unknown as Json });
    return { ...taken, event: { ...taken.event, data: JSON.parse(whole) as Json } };
  } catch (error) {
    return refuse(refusalOf(file, error));
  } finally {
    rules.running?.(null);
  }
}

/** What is not named stays; null takes the default. */
function changed(known: JsonObject, given: JsonObject): JsonObject {
  const all = Object.entries({ ...known, ...given });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}

/** Errors of a realm are of another class Error. */
function refusalOf(file: string, error: unknown): ErrorData {
  if (error instanceof HalonError) {
    const { code, message } = toErrorData(error);
    return { code, message: `${file}: ${message}.` };
  }
  const { message } = (error ?? {}) as { readonly message?: unknown };
  const what = typeof message === "string" ? message : String(error);
  return {
    code: "HAL_CONFIG_INVALID",
    message: `${file}: with these options its code throws ${what}. Give others.`,
  };
}

function refuse(error: ErrorData): Intake {
  return { type: "reply", reply: { type: "refused", error } };
}
