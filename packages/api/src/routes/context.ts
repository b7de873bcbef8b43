import { HalonError } from "@halon/protocol";
import type { HttpBindings } from "@hono/node-server";
import type { Context, Handler } from "hono";
import type { z } from "zod";
import { parseWith } from "../body.ts";
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

/** Sends the client to the tracking node; null when this is it. */
export function redirectToLeader(c: Ctx, ports: ApiPorts): Response | null {
  const identity = ports.identity();
  if (identity.role === "tracking") return null;
  if (identity.leaderEndpoint === null) {
    throw new HalonError(
      "HAL_NO_LEADER",
      `Node ${identity.name} knows no tracking node at present. Try again in a second.`,
    );
  }
  return redirectTo(c, identity.leaderEndpoint);
}

/** The endpoint comes from the cluster, never from the request's Host. */
export function redirectTo(c: Ctx, endpoint: string): Response {
  const { pathname, search } = new URL(c.req.url);
  return c.redirect(`http://${endpoint}${pathname}${search}`, 307);
}
