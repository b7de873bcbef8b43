import { HalonError, HelloRequest, keyOf, type Resource } from "@halon/protocol";
import { stream } from "hono/streaming";
import { readJson } from "../body.ts";
import { LogsQuery, ShutdownRequest } from "../request.ts";
import { requireTarget } from "../view.ts";
import {
  type Ctx,
  param,
  queryOf,
  type Route,
  type RouteContext,
  redirectTo,
  route,
} from "./context.ts";
import { pump } from "./pump.ts";

/** A hello has less than this, however long its path. */
const helloBytesMax = 65_536;

/** Probes, and what the starter API tells of one node. */
export function starterRoutes(context: RouteContext): readonly Route[] {
  const { ports, limits } = context;
  return [
    route("GET", "/livez", (c) => {
      if (!ports.live()) throw new HalonError("HAL_INTERNAL", "A thread of this node hangs.");
      return c.text("ok\n");
    }),
    route("GET", "/readyz", (c) => {
      const reason = ports.notReady();
      if (reason !== null) throw new HalonError("HAL_NO_LEADER", `Not ready: ${reason}`);
      return c.text("ok\n");
    }),
    route("GET", "/id", (c) => {
      const { id, name, clusterId, role, version, leaderEndpoint } = ports.identity();
      return c.json({ id, name, clusterId, role, version, leaderEndpoint });
    }),
    route("GET", "/hello", (c) => hello(c, context, undefined)),
    route("POST", "/hello", async (c) =>
      hello(c, context, await readJson(c.env.incoming, HelloRequest, helloBytesMax)),
    ),
    route("GET", "/version", (c) => {
      const { version } = ports.identity();
      return c.json({ version, build: version });
    }),
    route("GET", "/endpoints", (c) => {
      const starters = ports.status().nodes.map((node) => `http://${node.address}`);
      return c.json({ starters, agents: [], coordinators: [] });
    }),
    route("GET", "/process", (c) => c.json(processes(context))),
    route("GET", "/logs/:service", (c) => logs(c, context)),
    route("POST", "/shutdown", async (c) => {
      const request = await readJson(c.env.incoming, ShutdownRequest, limits.bodyBytesMax);
      ports.shutdown(request);
      return c.text("OK");
    }),
  ];
}

async function hello(
  c: Ctx,
  { ports }: RouteContext,
  request: HelloRequest | undefined,
): Promise<Response> {
  const answer = await ports.hello(request);
  return answer.type === "config" ? c.json(answer.config) : redirectTo(c, answer.address);
}

function processes({ ports }: RouteContext) {
  const { name, endpoint } = ports.identity();
  const ip = endpoint.slice(0, endpoint.lastIndexOf(":"));
  const here = ports.status().services.filter((service) => service.node === name);
  const servers = here.flatMap(({ service, osPid }) =>
    osPid === undefined ? [] : [{ type: service, ip, pid: osPid, "is-secure": false }],
  );
  const started = here.every((service) => ["running", "degraded"].includes(service.state));
  return { "servers-started": started, servers };
}

async function logs(c: Ctx, { ports, limits, closing }: RouteContext): Promise<Response> {
  const service = param(c, "service");
  const { on, lines, follow } = queryOf(c, LogsQuery);
  const { name } = ports.identity();
  requireTarget(ports.graph(), service, on);
  const here = on === undefined || on === name ? await ports.logs(service, lines) : undefined;
  if (here === undefined) {
    const other = on === name ? undefined : holderOf(ports.graph(), service, on, name);
    // The other one is named, so that it does not send the request on in its turn.
    if (other !== undefined) return redirectTo(c, other.attributes.address, { on: other.id });
    throw noOutput(service, on);
  }
  c.header("Content-Type", "text/plain; charset=utf-8");
  if (!follow) return c.body(here);
  return stream(c, async (text) => {
    await text.write(here);
    await pump<string>({
      stream: text,
      closing,
      entriesMax: limits.streamEntriesMax,
      subscribe: (push) => ports.followLogs(service, push),
      write: async (more) => void (await text.write(more)),
    });
  });
}

function noOutput(service: string, on: string | undefined): HalonError {
  const where = on === undefined ? "" : ` on ${on}`;
  const why = service.startsWith("halon-")
    ? "a part of Halon writes to the log of its halond, see --log.file"
    : "it was never started there. See `halonctl service list`";
  return new HalonError("HAL_NOT_FOUND", `There is no output of ${service}${where}: ${why}.`);
}

/** The other node that has started the service: its log is there. */
function holderOf(
  graph: ReturnType<RouteContext["ports"]["graph"]>,
  service: string,
  on: string | undefined,
  self: string,
): Resource<"Node"> | undefined {
  return graph
    .list("ServiceName", { service })
    .filter(({ attributes }) => attributes.incarnation > 0 && !service.startsWith("halon-"))
    .flatMap((slot) => graph.in(keyOf("ServiceName", slot.id), "provides", "Node"))
    .find((node) => node.id !== self && (on === undefined || node.id === on));
}
