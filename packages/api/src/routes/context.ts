import { HalonError } from "@halon/protocol";
import type { HttpBindings } from "@hono/node-server";
import type { Context, Handler } from "hono";
import type { z } from "zod";
import { parseWith } from "../body.ts";
import { forward, forwardedHeader } from "../forward.ts";
import type { Limits } from "../limits.ts";
import type { ApiPorts } from "../ports.ts";

/** What every group of routes is given. */
export interface RouteContext {
  readonly ports: ApiPorts;
  readonly limits: Limits;
  /** Aborted when the listener closes: streams end. */
  readonly closing: AbortSignal;
}

export type Env = { readonly Bindings: HttpBindings };
export type Ctx = Context<Env>;
export type RouteHandler = (c: Ctx) => Response | Promise<Response>;
export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** One row of the table of routes. */
export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly handler: Handler<Env>;
}

/** How long an answer of the leader waits for the replica of the node that was asked, and how often that is looked at. */
const catchUpMs = 1_000;
const catchUpLookMs = 5;

export function route(method: Method, path: string, handler: RouteHandler): Route {
  return { method, path, handler };
}

/** The query, parsed; an unknown parameter is an error that names it. */
export function queryOf<S extends z.ZodType>(c: Ctx, schema: S): z.infer<S> {
  return parseWith(schema, c.req.query(), "query");
}

/** A parameter of the path; the router only calls a handler when all are there. */
export function param(c: Ctx, name: string): string {
  return c.req.param(name) ?? "";
}

/** Answers a read, with the age of the replica in its headers. */
export function answer(c: Ctx, { ports }: RouteContext, body: unknown): Response {
  stamp(c, ports);
  return c.json(body as object);
}

export function stamp(c: Ctx, ports: ApiPorts): void {
  const { revision, stalenessMs } = ports.staleness();
  c.header("Halon-Revision", String(revision));
  c.header("Halon-Staleness-Ms", String(Math.round(stalenessMs)));
}

/**
 * The answer of the node that leads, to which the request is sent on; null when this is it.
 *
 * `body`: where it was read already. A request that was sent on before is answered here or not at all, so that none goes in circles (rfc/0006).
 */
export async function answerOfLeader(
  c: Ctx,
  ports: ApiPorts,
  body?: Buffer,
): Promise<Response | null> {
  const { name, endpoint, leaderEndpoint } = ports.identity();
  if (leaderEndpoint === endpoint) return null;
  const from = c.req.header(forwardedHeader);
  if (leaderEndpoint === null || from !== undefined) {
    const why =
      from === undefined
        ? "knows no leader at present"
        : `does not lead, as ${from.slice(0, 100)} took it to`;
    throw new HalonError("HAL_NO_LEADER", `Node ${name} ${why}. Try again in a second.`);
  }
  const { pathname, search } = new URL(c.req.url);
  const answer = await forward(c.env, {
    endpoint: leaderEndpoint,
    node: name,
    pathAndQuery: pathname + search,
    ...(body === undefined ? {} : { body }),
    leaderEndpoint: () => ports.identity().leaderEndpoint,
  });
  const isChange = c.req.method !== "GET" && c.req.method !== "HEAD";
  if (isChange) await catchUp(ports, Number(answer.headers.get("Halon-Revision") ?? 0));
  return answer;
}

/** Whoever asks this node next finds what it was told through it. A replica that is far behind is not waited for. */
async function catchUp(ports: ApiPorts, revision: number): Promise<void> {
  const end = performance.now() + catchUpMs;
  while (ports.staleness().revision < revision && performance.now() < end)
    await new Promise((resolve) => setTimeout(resolve, catchUpLookMs));
}

/** The endpoint comes from the cluster, never from the request's Host. */
export function redirectTo(
  c: Ctx,
  endpoint: string,
  query: Readonly<Record<string, string>> = {},
): Response {
  const { pathname, searchParams } = new URL(c.req.url);
  for (const [name, value] of Object.entries(query)) searchParams.set(name, value);
  const search = searchParams.size === 0 ? "" : `?${searchParams}`;
  return c.redirect(`http://${endpoint}${pathname}${search}`, 307);
}
