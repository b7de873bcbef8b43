import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { linkServerOptions } from "@halon/actor";
import { agencyHandler, type Member, serveHostLog, startMember } from "@halon/agency";
import { type Engine, openAgencyEngine } from "@halon/coordinator/store";
import { WebSocketServer } from "ws";

const deadlineMs = 30_000;
const settings = {
  // Longer than a busy machine stands still.
  electionMinMs: 600,
  electionMaxMs: 1_200,
  compactionStep: 1_000,
  compactionKeep: 50_000,
} as const;

/** The members of one agency, each with a listener of its own, in this process. */
export interface Members {
  /** An engine on the member that leads, or on one that has no engine yet where that one is in use. */
  openEngine(): Promise<Engine>;
  /** An engine on one member, which leads when leadership comes to it by itself. */
  openEngineOf(at: number): Promise<Engine>;
  /** Hands leadership to a member. */
  leadBy(at: number): Promise<void>;
  /** Position of the member that leads. */
  leader(): Promise<number>;
  stop(at: number): Promise<void>;
  start(at: number): Promise<void>;
  close(): Promise<void>;
}

interface Place {
  readonly id: string;
  readonly address: string;
  readonly dataDir: string;
  readonly closeListener: () => Promise<void>;
  readonly sockets: Set<Socket>;
  member: Member | null;
  /** Ends what the engine opened last is served by. */
  served: { close(): void } | null;
}

export async function startMembers(size: 1 | 3): Promise<Members> {
  const root = await mkdtemp(join(tmpdir(), "halon-agency-store-"));
  const places: Place[] = [];
  while (places.length < size) places.push(await listen(root));
  const founders = Object.fromEntries(places.map(({ id, address }) => [id, address]));
  const start = async (at: number): Promise<void> => {
    const place = placeAt(places, at);
    const { id, address: advertise, dataDir } = place;
    place.member = await startMember({
      ...settings,
      ...{ dataDir, advertise, join: [], agencySize: size },
      given: { id, cluster: "of-this-test", founders },
      // So that members that lag are sent snapshots.
      compactionBytes: 0,
      log: () => undefined,
      onEnd: (reason) => {
        throw new Error(`a member ended: ${reason}`);
      },
    });
  };
  await Promise.all(places.map((_, at) => start(at)));

  const openEngineOf = async (at: number): Promise<Engine> => {
    const place = placeAt(places, at);
    place.served?.close();
    const { port1, port2 } = new MessageChannel();
    const served = serveHostLog(memberOf(place).hostLog, port1);
    place.served = served;
    return openAgencyEngine(port2);
  };
  const leader = (): Promise<number> => until("a leader", () => leaderOf(places));
  const leadBy = async (at: number): Promise<void> => {
    const { id, member } = placeAt(places, at);
    await until(`${id} to lead`, () => {
      if (member?.hostLog.status.leading) return true;
      const now = leaderOf(places);
      // Answered only when leadership has moved, or not: the next look tells.
      if (now !== undefined) void places[now]?.member?.request({ type: "transferLeader", to: id });
      return undefined;
    });
  };
  return {
    openEngineOf,
    leader,
    leadBy,
    start,
    async openEngine() {
      const first = await leader();
      const order = places.map((_, offset) => (first + offset) % size);
      const at = order.find((one) => places[one]?.served === null) ?? first;
      const engine = await openEngineOf(at);
      const place = placeAt(places, at);
      const { served } = place;
      return leadingOnDemand(engine, {
        leadHere: () => leadBy(at),
        onClose: () => {
          if (place.served === served) place.served = null;
        },
      });
    },
    async stop(at) {
      const place = placeAt(places, at);
      place.served?.close();
      await place.member?.close();
      place.member = null;
      for (const socket of place.sockets) socket.destroy();
    },
    async close() {
      for (const { served } of places) served?.close();
      await Promise.all(places.map(({ member }) => member?.close()));
      for (const { closeListener } of places) await closeListener();
      await rm(root, { recursive: true });
    },
  };
}

/** An engine whose `lead` sees to it that leadership comes to its member. */
function leadingOnDemand(
  engine: Engine,
  hooks: { readonly leadHere: () => Promise<void>; readonly onClose: () => void },
): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "lead") return () => hooks.leadHere().then(() => target.lead());
      if (name === "close") return () => target.close().then(hooks.onClose);
      return value.bind(target);
    },
  });
}

async function listen(root: string): Promise<Place> {
  const sockets = new Set<Socket>();
  const handlers = new WeakMap<Member, ReturnType<typeof agencyHandler>>();
  const server = createServer((request, response) => {
    const { member, address } = place;
    if (member === null) return void response.writeHead(503).end();
    const handler =
      handlers.get(member) ??
      agencyHandler(member, {
        ...settings,
        ...{ advertise: address, agencySize: 3, version: "0.0.0" },
        onFault: (error) => {
          throw error;
        },
      });
    handlers.set(member, handler);
    handler(request, response);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const upgrades = new WebSocketServer({ noServer: true, ...linkServerOptions });
  server.on("upgrade", (request, socket, head) => {
    upgrades.handleUpgrade(request, socket, head, (ws) => {
      if (place.member === null) ws.terminate();
      // A refusal is told to the other member, which tries again.
      else place.member.accept(ws).catch(() => undefined);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const id = `AGNT-${randomUUID()}`;
  const place: Place = {
    id,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    dataDir: join(root, id),
    sockets,
    closeListener: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
    member: null,
    served: null,
  };
  return place;
}

function leaderOf(places: readonly Place[]): number | undefined {
  const at = places.findIndex(({ member }) => member?.hostLog.status.leading);
  return at < 0 ? undefined : at;
}

function placeAt(places: readonly Place[], at: number): Place {
  const place = places[at];
  if (place === undefined) throw new RangeError(`there is no member ${at}`);
  return place;
}

function memberOf({ id, member }: Place): Member {
  if (member === null) throw new Error(`member ${id} does not run`);
  return member;
}

/** Looks until there is something. */
export async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`expected within ${deadlineMs} ms: ${what}`);
    await wait(10);
  }
}
