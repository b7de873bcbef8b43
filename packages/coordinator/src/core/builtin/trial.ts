import { type JsonObject, keyOf, type Resource } from "@halon/protocol";
import type { Context } from "./context.ts";

/** How the configuration that a slot runs with has done so far. */
interface Trial {
  readonly configuration: string;
  /** What the type accepted when it was tried: another version may accept something else. */
  readonly schema: string | null;
  /** Starts or runs that failed before it was proven. */
  readonly failures: number;
  /** Log time since which an instance runs with it and is well; null while none does. */
  readonly wellSince: number | null;
}

/** A configuration that has worked in a slot, kept with its value: nothing in the graph wants it any more. */
export interface Proven {
  readonly configuration: string;
  readonly value: JsonObject;
  /** The schema that it conforms to. */
  readonly schema: string;
}

/** An instance has become ready with the configuration, or is well again. */
export function isWellWith(context: Context, slot: string, configuration: string): void {
  const trial = trialOf(context, slot);
  const same =
    trial?.configuration === configuration ? trial : firstTrial(context, slot, configuration);
  remember(context, slot, { ...same, wellSince: context.now });
}

/** No instance is well with it from now on: it is not, or was stopped. */
export function isNotWell(context: Context, slot: string): void {
  const trial = trialOf(context, slot);
  if (trial === undefined || trial.wellSince === null) return;
  if (hasBeenWell(context, slot, trial)) prove(context, slot, trial);
  remember(context, slot, { ...trial, wellSince: null });
}

/**
 * Another configuration is wanted from now on.
 *
 * The one so far has worked when it was well for `resetAfter`, or when it is well now and has never failed: a person who
 * changes it soon after the start means to change something that works.
 */
export function endTrial(context: Context, slot: string): void {
  const trial = trialOf(context, slot);
  if (trial === undefined) return;
  const isWell = trial.wellSince !== null && trial.failures === 0;
  if (isWell || hasBeenWell(context, slot, trial)) prove(context, slot, trial);
  remember(context, slot, null);
}

/** A failure of an instance with the configuration; how many there were, 0 when it is proven. */
export function countFailure(
  context: Context,
  slot: string,
  failure: { readonly configuration: string; readonly healthyMs: number },
): number {
  const { configuration, healthyMs } = failure;
  const before = trialOf(context, slot);
  const trial =
    before?.configuration === configuration ? before : firstTrial(context, slot, configuration);
  // Both clocks: the log's goes on while a node cannot be reached, the node's counts other configurations, too.
  if (hasBeenWell(context, slot, trial) && healthyMs >= resetAfterMs(context, slot)) {
    prove(context, slot, trial);
  }
  const failures =
    provenOf(context, slot)?.configuration === configuration ? 0 : trial.failures + 1;
  remember(context, slot, { ...trial, failures, wellSince: null });
  return failures;
}

/** The last configuration that has worked in the slot. */
export function provenOf(context: Context, slot: string): Proven | undefined {
  return (context.memory.get(`good/${slot}`) ?? undefined) as Proven | undefined;
}

/** The slot is not wanted any more. */
export function forgetTrials(context: Context, slot: string): void {
  remember(context, slot, null);
  context.memory.set(`good/${slot}`, null);
}

/** The schema that the type of the slot's service accepts. */
export function schemaOf(context: Context, type: string): string | undefined {
  return context.graph.out(keyOf("Service", type), "accepts", "Schema")[0]?.id;
}

function trialOf(context: Context, slot: string): Trial | undefined {
  return (context.memory.get(`trial/${slot}`) ?? undefined) as Trial | undefined;
}

function remember(context: Context, slot: string, trial: Trial | null): void {
  context.memory.set(`trial/${slot}`, trial);
}

function hasBeenWell(context: Context, slot: string, { wellSince }: Trial): boolean {
  return wellSince !== null && context.now - wellSince >= resetAfterMs(context, slot);
}

function resetAfterMs(context: Context, slot: string): number {
  return typeOf(context, slot)?.attributes.restart.resetAfterMs ?? Number.POSITIVE_INFINITY;
}

function firstTrial(context: Context, slot: string, configuration: string): Trial {
  const type = typeOf(context, slot);
  const schema = type === undefined ? null : (schemaOf(context, type.id) ?? null);
  return { configuration, schema, failures: 0, wellSince: null };
}

function prove(context: Context, slot: string, { configuration, schema }: Trial): void {
  if (provenOf(context, slot)?.configuration === configuration) return;
  const value = context.graph.get("Configuration", configuration)?.attributes.value;
  if (value === undefined || schema === null) return;
  context.memory.set(`good/${slot}`, { configuration, value, schema });
}

function typeOf({ graph }: Context, slot: string): Resource<"Service"> | undefined {
  return graph.out(keyOf("ServiceName", slot), "wants", "Service")[0];
}
