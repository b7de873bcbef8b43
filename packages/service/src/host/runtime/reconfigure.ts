import { HalonError, type JsonObject } from "@halon/protocol";
import { checkConfig, hashOf } from "./configuration.ts";
import type { Instance } from "./instance.ts";
import { placeOf } from "./report.ts";
import type { ActionOf, RuntimeEvent } from "./runtime.ts";
import { configValuesOf, withReferences } from "./secrets.ts";

/**
 * Gives a configuration to a running instance; resolves to its hash.
 *
 * Rejects with HAL_SCHEMA_VIOLATION, HAL_CONFIG_INVALID for a secret that cannot be read, HAL_CONFLICT when it cannot take
 * a configuration while it runs, HAL_TIMEOUT, and with what the service throws.
 */
export async function reconfigure(
  instance: Instance,
  action: Pick<ActionOf<"ReconfigureService">, "config" | "configHash">,
): Promise<string> {
  const { spec, runner, secrets } = instance;
  const outcome = checkConfig(spec.manifest, action.config);
  if (outcome.type === "invalid") throw new HalonError("HAL_SCHEMA_VIOLATION", outcome.reason);
  const values = configValuesOf(outcome.config)();
  secrets.learn(outcome.config, values);
  if ((await runner.reconfigure(values, spec.manifest.startTimeoutMs)) === "restart") {
    throw new HalonError(
      "HAL_CONFLICT",
      `${spec.instance} cannot take a configuration while it runs; restart it`,
    );
  }
  takeOver(instance, { hash: action.configHash, config: outcome.config, values });
  return action.configHash;
}

/** Tells that a service has changed its own configuration; one that its schema refuses is a warning, and not taken in. */
export function reportReconfigured(
  instance: Instance,
  given: JsonObject,
  emit: (event: RuntimeEvent) => void,
): void {
  const { manifest } = instance.spec;
  const config = withReferences(given, instance.config, instance.configValues()) as JsonObject;
  const outcome = checkConfig(manifest, config);
  if (outcome.type === "invalid") {
    const detail = `its schema refuses the configuration that it changed to: ${outcome.reason}`;
    instance.noteHealth("warn", detail.slice(0, 4_000));
    return;
  }
  takeOver(instance, { hash: hashOf(outcome.config), config: outcome.config, values: given });
  const { configuration } = instance;
  const data = { ...placeOf(instance.spec), configuration, config: outcome.config };
  emit({ type: "ServiceReconfigured", data });
}

function takeOver(
  instance: Instance,
  {
    hash,
    config,
    values,
  }: { readonly hash: string; readonly config: JsonObject; readonly values: JsonObject },
): void {
  instance.configuration = hash;
  instance.config = config;
  instance.configValues = () => values;
}
