import { randomUUID } from "node:crypto";
import {
  builtInEvents,
  Duration,
  type EventEntry,
  type EventType,
  HalonError,
  type Json,
} from "@halon/protocol";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { parseWith, problems, readJsonBody } from "../body.ts";
import type { EventCursor } from "../ports.ts";
import {
  EventCursorText,
  EventRequest,
  EventsQuery,
  StreamQuery,
  SubmitQuery,
} from "../request.ts";
import { refuseSecretsIn } from "../secrets.ts";
import {
  answer,
  answerOfLeader,
  type Ctx,
  queryOf,
  type Route,
  type RouteContext,
  route,
} from "./context.ts";
import { takeHere } from "./emit.ts";
import { pump } from "./pump.ts";

/** Entries read at once while a stream catches up. */
const pageSize = 1_000;

/** Events of clients, and the log of all events. */
export function eventRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  return [
    route("POST", "/v1/events", async (c) => {
      const body = await readJsonBody(c.env.incoming, limits.bodyBytesMax);
      const here = takeHere(c, context, body) ?? (await answerOfLeader(c, ports, body.bytes));
      if (here !== null) return here;
      const { timeout } = queryOf(c, SubmitQuery);
      const event = parseWith(EventRequest, body.value, "body");
      checkBuiltIn(event.type, event.data);
      refuseSecretsIn(event.type, event.data as Json, ports.graph());
      const id = event.id ?? randomUUID();
      // z.json() gives plain JSON, only without `readonly`.
      const { type, version } = event;
      const submitted = {
        ...{ id, type, data: event.data as Json },
        ...(version === undefined ? {} : { version }),
      };
      return c.json(await ports.submit(submitted, timeout));
    }),
    route("GET", "/v1/events", async (c) => {
      const { after, since, type, dead, limit } = queryOf(c, EventsQuery);
      const entries = await ports.events({
        limit,
        dead,
        ...(after === undefined ? {} : { after }),
        ...(since === undefined ? {} : { since: timeOf(since) }),
        ...(type === undefined ? {} : { type }),
      });
      return answer(c, context, entries);
    }),
    route("GET", "/v1/events/stream", (c) => eventStream(c, context)),
  ];
}

/** An event of Halon itself has its own schema, and most are for nodes and rules to send. */
function checkBuiltIn(type: string, data: unknown): void {
  const known: Readonly<Record<string, EventType>> = builtInEvents;
  const builtIn = Object.hasOwn(known, type) ? known[type] : undefined;
  if (builtIn === undefined) return;
  if (builtIn.sentBy !== "client") {
    throw new HalonError(
      "HAL_FORBIDDEN",
      `Events of type ${type} are sent by Halon itself (${builtIn.sentBy}). Emit a type that a rule file declares.`,
    );
  }
  const parsed = builtIn.schema.safeParse(data);
  if (parsed.success) return;
  throw new HalonError(
    "HAL_SCHEMA_VIOLATION",
    `The data does not fit the event ${type}: ${problems(parsed.error)}.`,
  );
}

function timeOf(since: string): number {
  const ago = Duration.safeParse(since);
  if (ago.success) return Date.now() - ago.data;
  const time = /^\d{4}-\d{2}-\d{2}/.test(since) ? Date.parse(since) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new HalonError(
    "HAL_BAD_REQUEST",
    `Expected since to be a time such as 2026-01-31T12:00:00Z or how long ago such as 10m, got ${JSON.stringify(since.slice(0, 100))}.`,
  );
}

function eventStream(c: Ctx, context: RouteContext): Response {
  const query = queryOf(c, StreamQuery);
  const lastId = c.req.header("Last-Event-ID");
  const start =
    lastId === undefined ? query.after : parseWith(EventCursorText, lastId, "Last-Event-ID");
  return streamSSE(c, async (stream) => {
    const after = start === undefined ? undefined : await catchUp(stream, start, context);
    await pump<EventEntry>({
      stream,
      closing: context.closing,
      entriesMax: context.limits.streamEntriesMax,
      subscribe: (push) => context.ports.subscribeEvents(after, push),
      write: (entry) => writeEntry(stream, entry),
      beat: async () => void (await stream.write(": still here\n\n")),
    });
  });
}

/** Sends page after page, so that a long history never stands in a queue. */
async function catchUp(
  stream: SSEStreamingApi,
  start: EventCursor,
  { ports, closing }: RouteContext,
): Promise<EventCursor> {
  let after = start;
  for (;;) {
    const page = await ports.events({ after, limit: pageSize });
    for (const entry of page) {
      await writeEntry(stream, entry);
      after = { index: entry.index, position: entry.position };
    }
    if (page.length < pageSize || stream.aborted || closing.aborted) return after;
  }
}

function writeEntry(stream: SSEStreamingApi, entry: EventEntry): Promise<void> {
  return stream.writeSSE({
    id: `${entry.index}.${entry.position}`,
    event: "event",
    data: JSON.stringify(entry),
  });
}
