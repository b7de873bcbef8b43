import { createHash, randomUUID } from "node:crypto";
import {
  canonicalJson,
  contradictionIn,
  HalonError,
  Hash,
  type Json,
  type JsonObject,
  knownClusterIn,
} from "@halon/protocol";
import { z } from "zod";
import { parseWith, problems, readBody, readJson } from "../body.ts";
import { type ClusterPlan, planOf } from "../plan.ts";
import {
  ApplyRequest,
  ConfigRequest,
  MissingRequest,
  MoveRequest,
  PlanQuery,
  PlanRequest,
  SendRequest,
  ServiceRequest,
  StartQuery,
  SubmitQuery,
  WaitQuery,
} from "../request.ts";
import { refuseSecretValue, refuseSecretValues } from "../secrets.ts";
import { requireTarget, serviceView, typeView } from "../view.ts";
import {
  answer,
  answerOfLeader,
  type Ctx,
  param,
  queryOf,
  type Route,
  type RouteContext,
  route,
  stamp,
} from "./context.ts";

/** How long an event may take to be committed; waiting for what it leads to is counted apart. */
const commitMs = 10_000;

const requestEvents = {
  start: "ServiceStartRequested",
  stop: "ServiceStopRequested",
  restart: "ServiceRestartRequested",
  check: "ServiceCheckRequested",
  status: "ServiceStatusRequested",
} as const;

/** What changes the cluster: each is an event of the log, and is answered with its operation. */
export function changeRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  const actions = Object.entries(requestEvents).map(([action, type]) =>
    route("POST", `/v1/services/:service/${action}`, async (c) => {
      if (action === "start" && queryOf(c, StartQuery).dryRun) return await tryStart(c, context);
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const { wait, timeout } = queryOf(c, action === "start" ? StartQuery : WaitQuery);
      const request = await readJson(c.env.incoming, ServiceRequest, limits.bodyBytesMax);
      if (request.config !== undefined) {
        throw new HalonError(
          "HAL_NOT_BUILT",
          "A configuration for one start is not built yet. Set it with PUT /v1/services/<service>/config.",
        );
      }
      const service = param(c, "service");
      requireTarget(ports.graph(), service, request.on);
      const { config: _, ...rest } = request;
      return request202(c, context, { type, data: { service, ...rest }, wait, timeout });
    }),
  );
  return [
    ...actions,
    route("POST", "/v1/services/:service/move", (c) => move(c, context)),
    route("POST", "/v1/services/:service/send", (c) => send(c, context)),
    route("PUT", "/v1/services/:service/config", (c) => putConfig(c, context)),
    route("POST", "/v1/apply", async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const query = queryOf(c, WaitQuery);
      const request = await readJson(c.env.incoming, ApplyRequest, limits.bodyBytesMax);
      refuseSecretValues(request.spec, ports.graph());
      await requireBlobs(request.spec, context);
      return request202(c, context, { type: "ClusterApplied", data: request, ...query });
    }),
    route("POST", "/v1/plan", (c) => plan(c, context)),
    route("PUT", "/v1/blobs/:hash", (c) => putBlob(c, context)),
    route("POST", "/v1/blobs/missing", async (c) => {
      const elsewhere = await answerOfLeader(c, ports);
      if (elsewhere !== null) return elsewhere;
      const { hashes } = await readJson(c.env.incoming, MissingRequest, limits.bodyBytesMax);
      return c.json({ missing: await ports.missingBlobs(hashes) });
    }),
  ];
}

/** What would change is said by any node; what would follow only by the one that leads. */
async function plan(c: Ctx, context: RouteContext): Promise<Response> {
  const { ports, limits } = context;
  const { actions, timeout } = queryOf(c, PlanQuery);
  const elsewhere = actions ? await answerOfLeader(c, ports) : null;
  if (elsewhere !== null) return elsewhere;
  const { spec, code } = await readJson(c.env.incoming, PlanRequest, limits.bodyBytesMax);
  refuseSecretValues(spec, ports.graph());
  const contradiction = contradictionIn(spec, knownClusterIn(ports.graph()));
  if (contradiction !== undefined) {
    throw new HalonError("HAL_CONFIG_INVALID", `Apply would be refused: ${contradiction}.`);
  }
  const changes = planOf(ports.graph(), spec);
  if (!actions) return answer(c, context, { changes } satisfies ClusterPlan);
  const texts = new Map(Object.entries(code));
  for (const [hash, text] of texts) requireHash(hash, Buffer.from(text));
  await requireCode(spec, texts, context);
  const planned = await ports.plan({ spec, code: texts }, timeout);
  return answer(c, context, { changes, actions: planned } satisfies ClusterPlan);
}

/** Without the code of its rule files a plan would be wrong. */
async function requireCode(
  spec: z.infer<typeof ApplyRequest>["spec"],
  code: ReadonlyMap<string, string>,
  { ports }: RouteContext,
): Promise<void> {
  const named = spec.rules.map(({ blob }) => blob).filter((blob) => !code.has(blob));
  const [missing] = await ports.missingBlobs([...new Set(named)]);
  if (missing === undefined) return;
  const name = spec.rules.find(({ blob }) => blob === missing)?.name;
  const message = `The code of rule file ${name} is not here. Send it as code["${missing}"].`;
  throw new HalonError("HAL_BLOB_MISSING", message);
}

async function move(c: Ctx, context: RouteContext): Promise<Response> {
  const { ports, limits } = context;
  const elsewhere = await answerOfLeader(c, ports);
  if (elsewhere !== null) return elsewhere;
  const query = queryOf(c, WaitQuery);
  const request = await readJson(c.env.incoming, MoveRequest, limits.bodyBytesMax);
  const service = param(c, "service");
  for (const node of [request.from, request.to]) requireTarget(ports.graph(), service, node);
  return request202(c, context, {
    type: "ServiceMoveRequested",
    data: { service, ...request },
    ...query,
  });
}

/** Any node takes it; the replica knows where the service runs, and no leader has a part in it. */
async function send(c: Ctx, { ports, limits }: RouteContext): Promise<Response> {
  const { timeout } = queryOf(c, SubmitQuery);
  const request = await readJson(c.env.incoming, SendRequest, limits.bodyBytesMax);
  const { on, instance, message, args, timeoutMs = timeout } = request;
  const service = param(c, "service");
  requireTarget(ports.graph(), service, on);
  const call = { on, instance, message, args: args as Json[] };
  return c.json(await ports.send(service, call, timeoutMs));
}

interface OperationRequest {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly wait: boolean;
  readonly timeout: number;
}

/** Commits the event of an operation: 202 with the operation, or 200 when it was waited for and has ended. */
export async function request202(
  c: Ctx,
  { ports }: RouteContext,
  { type, data, wait, timeout }: OperationRequest,
): Promise<Response> {
  const operation = randomUUID();
  const event = { id: operation, type, data: { ...data, operation } as unknown as Json };
  const { index } = await ports.submit(event, Math.min(timeout, commitMs));
  c.header("Location", `/v1/operations/${operation}`);
  const seen = wait ? await ports.waitOperation(operation, timeout) : ports.operation(operation);
  const body = { operation, index, ...(seen ?? { state: "running", waiting: [] }) };
  stamp(c, ports);
  return c.json(body, body.state === "running" ? 202 : 200);
}

/** Answered from the replica of this node, as reads are: nothing is changed. */
async function tryStart(c: Ctx, context: RouteContext): Promise<Response> {
  const { ports, limits } = context;
  const { on } = await readJson(c.env.incoming, ServiceRequest, limits.bodyBytesMax);
  const service = param(c, "service");
  requireTarget(ports.graph(), service, undefined);
  if (ports.graph().get("Deployment", service) === undefined) {
    throw new HalonError(
      "HAL_CONFLICT",
      `No cluster file names ${service}, so it is wanted nowhere. Add it to one and apply that.`,
    );
  }
  return answer(c, context, ports.dryRun(service, on));
}

async function putConfig(c: Ctx, context: RouteContext): Promise<Response> {
  const { ports, limits } = context;
  const elsewhere = await answerOfLeader(c, ports);
  if (elsewhere !== null) return elsewhere;
  const query = queryOf(c, WaitQuery);
  const { reason, ...request } = await readJson(c.env.incoming, ConfigRequest, limits.bodyBytesMax);
  const service = param(c, "service");
  requireTarget(ports.graph(), service, undefined);
  const type = serviceView(ports.graph(), ports.status(), service).deployment?.type;
  const schema = type === undefined ? null : typeView(ports.graph(), type).configurationSchema;
  if (schema !== null)
    refuseSecretValue(schema as JsonObject, request.config as JsonObject, service);
  const config = schema === null ? request.config : conforming(request.config, schema, service);
  const configHash = createHash("sha256").update(canonicalJson(config)).digest("hex");
  const data = { service, config, configHash, ...(reason === undefined ? {} : { reason }) };
  return request202(c, context, { type: "ConfigurationRequested", data, ...query });
}

function conforming(
  config: z.infer<typeof ConfigRequest>["config"],
  schema: Parameters<typeof z.fromJSONSchema>[0],
  service: string,
): z.infer<typeof ConfigRequest>["config"] {
  const parsed = z.fromJSONSchema(schema).safeParse(config);
  if (parsed.success) return parsed.data as typeof config;
  throw new HalonError(
    "HAL_SCHEMA_VIOLATION",
    `The configuration does not fit the schema of service ${service}: ${problems(parsed.error)}.`,
  );
}

async function putBlob(c: Ctx, { ports, limits }: RouteContext): Promise<Response> {
  const elsewhere = await answerOfLeader(c, ports);
  if (elsewhere !== null) return elsewhere;
  const hash = parseWith(Hash, param(c, "hash"), "name of the blob");
  if (c.req.header("content-type") !== "application/octet-stream") {
    throw new HalonError("HAL_BAD_REQUEST", "Expected the content type application/octet-stream.");
  }
  const bytes = await readBody(c.env.incoming, limits.blobBytesMax);
  requireHash(hash, bytes);
  await ports.putBlob(hash, bytes);
  return c.json({ hash, bytes: bytes.length });
}

function requireHash(hash: string, bytes: Uint8Array): void {
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual === hash) return;
  throw new HalonError(
    "HAL_BLOB_MISMATCH",
    `The ${bytes.length} bytes have the hash ${actual}, not ${hash}. Send them again.`,
  );
}

/** A record names only code that is durable here: a node that starts the service must find it. */
async function requireBlobs(
  spec: z.infer<typeof ApplyRequest>["spec"],
  { ports }: RouteContext,
): Promise<void> {
  const named = [
    ...spec.types.flatMap((type) => [type.blob, ...type.files]),
    ...spec.rules.map((rule) => rule.blob),
  ];
  const [missing] = await ports.missingBlobs([...new Set(named)]);
  if (missing === undefined) return;
  throw new HalonError(
    "HAL_BLOB_MISSING",
    `The blob ${missing} is not here. Send it with PUT /v1/blobs/${missing} and apply again.`,
  );
}
