import type { EventEnvelope, EventType } from "@halon/protocol";
import { z } from "zod";
import { plain } from "./plain.ts";

/**
 * The event as the declaration reads it: of an earlier version, lifted step by step; null when there is no way from its version.
 *
 * Runs code of the rule file, and throws what that throws; a TypeError when what it gives is no data of the declared version.
 */
export function readAs(reads: EventType, event: EventEnvelope): EventEnvelope | null {
  const { type, version } = event;
  if (version === reads.version) return event;
  if (!versionsRead(reads).includes(version)) return null;
  let lifted: unknown = event.data;
  for (let from = version; from < reads.version; from += 1)
    lifted = plain(reads.from?.[from]?.(lifted as never), `${type} as version ${from + 1}`);
  const data = plain(lifted);
  const parsed = reads.schema.safeParse(data);
  if (parsed.success) return { ...event, version: reads.version, data };
  throw new TypeError(
    `${type} was lifted from version ${version} to ${reads.version}, whose schema refuses it: ${z.prettifyError(parsed.error)}`,
  );
}

/** The versions of its type of event that the declaration can read, in order. */
export function versionsRead({ version, from = {} }: EventType): readonly number[] {
  return [...Object.keys(from).map(Number), version].sort((a, b) => a - b);
}
