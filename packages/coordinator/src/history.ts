import type { DecisionRecord, EventEntry } from "@halon/protocol";
import type { Journal } from "./journal/journal.ts";
import { decodeRecord } from "./recover.ts";

/** Records that one question reads at most. */
const recordsReadMax = 20_000;
const pageRecords = 500;

/** A place in the log, exclusive: the answer goes on behind it. */
export interface HistoryQuery {
  readonly after?: { readonly index: number; readonly position: number } | undefined;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly type?: string | undefined;
  readonly dead?: boolean | undefined;
  /** The first so many behind `after` or `since`, else the last so many; oldest first. */
  readonly limit: number;
}

/** The events of a record, as people read them. */
export function entriesOf(record: DecisionRecord): EventEntry[] {
  return record.decisions.map((decision, position) => ({
    index: record.index,
    position,
    id: decision.event.id,
    type: decision.event.type,
    source: decision.event.source,
    time: new Date(record.wallTime).toISOString(),
    logTime: record.logTime,
    data: decision.event.data,
    rules: decision.firings.map(({ rule, why, commands }) => ({
      rule,
      why,
      commands: commands.map(
        ({ id, node, action }) => `${action.type} ${action.instance} on ${node} (${id})`,
      ),
    })),
    ...(decision.kept === undefined ? {} : { kept: decision.kept }),
    ...(decision.dead === null ? {} : { dead: decision.dead }),
  }));
}

/** Reads entries from the journal, at most `recordsReadMax` records of it. */
export async function readHistory(
  journal: Journal,
  query: HistoryQuery,
): Promise<readonly EventEntry[]> {
  const forward = query.after !== undefined || query.since !== undefined;
  return forward ? readForward(journal, query) : readBackward(journal, query);
}

async function readForward(journal: Journal, query: HistoryQuery): Promise<readonly EventEntry[]> {
  const found: EventEntry[] = [];
  let from = Math.max(query.after?.index ?? 1, journal.firstIndex, 1);
  const last = from + recordsReadMax;
  while (from <= journal.lastIndex && from < last && found.length < query.limit) {
    const page = await journal.read({ from, limit: pageRecords });
    for (const { data, wallTime } of page) {
      if (query.since !== undefined && wallTime < query.since) continue;
      found.push(...entriesOf(decodeRecord(data)).filter((entry) => matches(entry, query)));
    }
    const end = page.at(-1)?.index;
    if (end === undefined) break;
    from = end + 1;
  }
  return found.slice(0, query.limit);
}

async function readBackward(journal: Journal, query: HistoryQuery): Promise<readonly EventEntry[]> {
  let found: EventEntry[] = [];
  let to = journal.lastIndex;
  const lowest = Math.max(journal.firstIndex, to - recordsReadMax + 1, 1);
  while (to >= lowest && found.length < query.limit) {
    const from = Math.max(lowest, to - pageRecords + 1);
    const page = await journal.read({ from, to, limit: pageRecords });
    const entries = page.flatMap(({ data }) =>
      entriesOf(decodeRecord(data)).filter((entry) => matches(entry, query)),
    );
    found = [...entries, ...found];
    to = from - 1;
  }
  return found.slice(-query.limit);
}

function matches(entry: EventEntry, query: HistoryQuery): boolean {
  const { after } = query;
  if (after !== undefined) {
    if (entry.index < after.index) return false;
    if (entry.index === after.index && entry.position <= after.position) return false;
  }
  if (query.type !== undefined && entry.type !== query.type) return false;
  return query.dead !== true || entry.dead !== undefined;
}
