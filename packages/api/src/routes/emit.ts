import { randomUUID } from "node:crypto";
import { HalonError, type Json } from "@halon/protocol";
import { z } from "zod";
import { parseWith, type readJsonBody } from "../body.ts";
import { forwardedHeader } from "../forward.ts";
import { EventRequest } from "../request.ts";
import type { Ctx, RouteContext } from "./context.ts";

/** Events of one request, at most; as many as a processor's queue holds. */
const eventsMax = 10_000;

const EventList = z.array(EventRequest).min(1).max(eventsMax);

/** The body of a `POST /v1/events`, read once. */
export type Emitted = Awaited<ReturnType<typeof readJsonBody>>;

/**
 * Gives events that rule files take on nodes to the processor of this one; null when they are for the decision log.
 *
 * One event, or a list of them, which is taken as a whole. Errors: as of `ApiPorts.process`.
 */
export function takeHere(c: Ctx, { ports }: RouteContext, { value }: Emitted): Response | null {
  const types = typesIn(value);
  const ofLog = types.find((type) => !ports.processes(type));
  if (!Array.isArray(value) && ofLog !== undefined) return null;
  if (ofLog !== undefined) {
    const message = `A list holds events of types that rule files take on nodes; ${JSON.stringify(ofLog.slice(0, 128))} goes to the decision log. Send it by itself.`;
    throw new HalonError("HAL_BAD_REQUEST", message);
  }
  const from = c.req.header(forwardedHeader);
  if (from !== undefined) {
    const message = `Node ${from.slice(0, 100)} does not know yet that it takes ${types[0]} itself. Try again in a second.`;
    throw new HalonError("HAL_OVERLOADED", message);
  }
  const processedBy = ports.identity().name;
  if (Array.isArray(value)) {
    const events = parseWith(EventList, value, "body");
    ports.process(events.map(({ type, data }) => ({ type, data: data as Json })));
    return c.json({ processed: events.length, processedBy });
  }
  const { id = randomUUID(), type, data } = parseWith(EventRequest, value, "body");
  ports.process([{ type, data: data as Json }]);
  return c.json({ id, processedBy });
}

function typesIn(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const types = list.map((each) => (each as { readonly type?: unknown } | null)?.type);
  return [...new Set(types.map((type) => (typeof type === "string" ? type : "")))];
}
