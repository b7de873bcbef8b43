import { type DataOf, defineEvent, events } from "@halon/protocol";
import { z } from "@halon/rules";
import type { Engine } from "./engine.ts";

const schema = z.strictObject({ of: z.string(), n: z.number() });

/** Begins a job; `of` is its key in all of these. */
export const Begin = defineEvent({ type: "Begin", schema });
export const Yes = defineEvent({ type: "Yes", schema });
export const No = defineEvent({ type: "No", schema });
/** What a job says of itself. */
export const Said = defineEvent({ type: "Said", schema: z.strictObject({ text: z.string() }) });

export const of = (event: { readonly of: string }): string => event.of;

/** The event with this key. */
export const a = (n = 0, key = "a") => ({ of: key, n });

export function said(engine: Engine): readonly string[] {
  return engine.told(Said).map(({ text }) => text);
}

/** `key: outcome` of each job that has ended, with its output where it has one. */
export function ends(engine: Engine): readonly string[] {
  return engine
    .told<DataOf<typeof events.JobEnded>>(events.JobEnded)
    .map(({ key, outcome, output }) =>
      output === undefined ? `${key}: ${outcome}` : `${key}: ${outcome} ${JSON.stringify(output)}`,
    );
}
