import { HalonError } from "@halon/protocol";
import { Hono } from "hono";
import { refusalOf } from "./admit.ts";
import { errorBodyOf } from "./error-body.ts";
import { changeRoutes } from "./routes/change.ts";
import type { Ctx, Env, Route, RouteContext } from "./routes/context.ts";
import { deadLetterRoutes } from "./routes/dead-letter.ts";
import { eventRoutes } from "./routes/event.ts";
import { nodeRoutes } from "./routes/node.ts";
import { readRoutes } from "./routes/read.ts";
import { ruleRoutes } from "./routes/rule.ts";
import { starterRoutes } from "./routes/starter.ts";

/** Routes that are reserved and that nothing answers (rfc/0003). */
const notBuilt = [
  "/",
  "/goodbye",
  "/metrics",
  "/openapi.json",
  "/v1/decisions",
  "/v1/why",
  "/v1/why-not",
  "/v1/graph/stream",
  "/_api/version",
  "/_api/agency/*",
  "/_api/foxx",
  "/_api/foxx/*",
  "/_db/_system/*",
];

/** What a node answers before it is part of a complete cluster. */
const early: ReadonlySet<string> = new Set(["/livez", "/readyz", "/id", "/version", "/hello"]);

export interface AppOptions extends RouteContext {
  readonly allowedHosts: readonly string[];
  readonly onFault: (error: unknown) => void;
}

/** All routes of a node, behind the checks that hold for every request. */
export function createApp(options: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) => fail(c, error, options));
  app.use(async (c, next) => {
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Cache-Control", "no-store");
    const { headers, rawHeaders } = c.env.incoming;
    if (rawHeaders.length / 2 > options.limits.headerCountMax) {
      throw new HalonError(
        "HAL_BAD_REQUEST",
        `The request has more than ${options.limits.headerCountMax} headers.`,
      );
    }
    const refusal = refusalOf(headers, options.allowedHosts);
    if (refusal !== null) throw refusal;
    const starting = early.has(c.req.path) ? null : options.ports.starting();
    if (starting !== null) {
      throw new HalonError("HAL_NO_LEADER", `The node is starting: ${starting}. Try again.`);
    }
    await next();
  });
  register(app, [
    ...readRoutes(options),
    ...changeRoutes(options),
    ...nodeRoutes(options),
    ...ruleRoutes(options),
    ...deadLetterRoutes(options),
    ...eventRoutes(options),
    ...starterRoutes(options),
  ]);
  for (const path of notBuilt) {
    app.all(path, (c) => {
      throw new HalonError("HAL_NOT_BUILT", `${c.req.method} ${shownPath(c)} is not built yet.`);
    });
  }
  app.notFound((c) =>
    fail(c, new HalonError("HAL_NOT_FOUND", `There is no route ${shownPath(c)}.`), options),
  );
  return app;
}

/** Adds the routes and, behind each path, what answers the methods that it does not have. */
function register(app: Hono<Env>, routes: readonly Route[]): void {
  const methods = new Map<string, string[]>();
  for (const { method, path, handler } of routes) {
    app.on(method, path, handler);
    methods.set(path, [...(methods.get(path) ?? []), method]);
  }
  // A static path such as /v1/events/stream also fits a pattern, so all of these come after all routes.
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      c.header("Allow", allowed.join(", "));
      throw new HalonError(
        "HAL_METHOD_NOT_ALLOWED",
        `${shownPath(c)} does not know ${c.req.method}, only ${allowed.join(" and ")}.`,
      );
    });
  }
}

function fail(c: Ctx, error: unknown, options: AppOptions): Response {
  if (!(error instanceof HalonError)) options.onFault(error);
  const body = errorBodyOf(error);
  if (body.code === 503) c.header("Retry-After", "1");
  if (body.code === 413) c.header("Connection", "close");
  return c.json(body, body.code as 400);
}

function shownPath(c: Ctx): string {
  return c.req.path.slice(0, 200);
}
