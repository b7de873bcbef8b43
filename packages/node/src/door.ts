import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiPorts, type Listener, listen } from "@halon/api";
import { HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import type { BootstrapRoutes } from "./bootstrap/routes.ts";
import { hostPort, type Setup } from "./core/bootstrap-setup.ts";
import { version } from "./version.ts";

/** What answers once the node is part of a complete cluster. */
export interface Inside {
  readonly ports: ApiPorts;
  /** Takes a request before any route; false: not its own. */
  request(request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** The node's listener, open from the first moment: others must find out who this is before it belongs to a cluster. */
export interface Door {
  readonly port: number;
  /** Answers hellos by these from now on. */
  hear(routes: BootstrapRoutes): void;
  /** The node answers everything from now on. */
  open(inside: Inside): void;
  close(deadlineMs?: number): Promise<void>;
}

/** Errors: HAL_PORT_IN_USE. */
export async function openDoor(setup: Setup, log: Logger): Promise<Door> {
  let routes: BootstrapRoutes | undefined;
  let inside: Inside | undefined;
  const ports = earlyPorts(setup, () => routes);
  // Without an address of its own to tell, a node is reached where it listens.
  const reached = setup.advertise ?? hostPort(setup.listen);
  const listener: Listener = await listen({
    ...setup.listen,
    allowedHosts: [reached.slice(0, reached.lastIndexOf(":"))],
    ports,
    onRequest: (request, response) => inside?.request(request, response) ?? false,
    onUpgrade: (request, socket, head) => inside?.upgrade(request, socket, head) ?? false,
    onFault: (error) => log.error({ reason: toErrorData(error).message }, "a route failed"),
  });
  return {
    port: listener.port,
    hear: (heard) => {
      routes = heard;
    },
    open: (opened) => {
      inside = opened;
      Object.assign(ports, opened.ports);
    },
    close: (deadlineMs) => listener.close(deadlineMs),
  };
}

/** Who this is and whom it waits for; all else is not reached before `starting` is null. */
function earlyPorts(setup: Setup, routes: () => BootstrapRoutes | undefined): ApiPorts {
  const starting = (): string => routes()?.waitsFor() ?? "it reads its data directory";
  const unreached = (): never => {
    throw new HalonError("HAL_NO_LEADER", `The node is starting: ${starting()}. Try again.`);
  };
  return {
    identity: () => ({
      id: setup.id,
      name: setup.name,
      clusterId: routes()?.id().clusterId ?? setup.clusterId ?? "",
      version,
      endpoint: setup.advertise ?? hostPort(setup.listen),
      leaderEndpoint: null,
      role: setup.role,
    }),
    hello: async (request) => routes()?.hello(request) ?? unreached(),
    starting,
    notReady: starting,
    live: () => true,
    status: unreached,
    graph: unreached,
    staleness: unreached,
    queryGraph: unreached,
    exportGraph: unreached,
    rules: unreached,
    dryRun: unreached,
    submit: unreached,
    processes: unreached,
    process: unreached,
    send: unreached,
    operation: unreached,
    waitOperation: unreached,
    events: unreached,
    subscribeEvents: unreached,
    deadLetters: unreached,
    plan: unreached,
    putBlob: unreached,
    missingBlobs: unreached,
    logs: unreached,
    followLogs: unreached,
    shutdown: unreached,
  };
}
