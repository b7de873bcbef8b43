import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Listener, listen } from "@halon/api/listen";
import { memoryPorts } from "@halon/api/testing";
import { HalonError } from "@halon/protocol";
import { addressOf, type CompleteSetup } from "../core/bootstrap-setup.ts";
import { openDataDir } from "../data-dir.ts";
import type { NodeOptions } from "../options.ts";
import { listensAt, loadSetup } from "../setup.ts";
import { bootstrap } from "./bootstrap.ts";
import { answerLate } from "./late.ts";
import type { BootstrapRoutes } from "./routes.ts";

const pace = { askEveryMs: 20, sayEveryMs: 200 };

/** A node that only begins: its listener answers for `/id` and `/hello`, nothing else runs. */
export interface Beginner {
  readonly address: string;
  readonly dataDir: string;
  readonly printed: readonly string[];
  readonly complete: Promise<CompleteSetup>;
  /** Resolves when so many texts that fit were printed. */
  said(pattern: RegExp, count?: number): Promise<void>;
  /** Ends it as SIGTERM would. */
  stop(reason?: unknown): Promise<void>;
}

export interface BeginnerOptions extends Partial<NodeOptions> {
  /** `host:port` of the leader once it is complete. */
  readonly leader?: () => string | null;
}

let places = 0;

/** An address of this machine that nobody else uses, so that a node can have it before and after a stop. */
export function place(): { readonly host: string; readonly port: number } {
  const { pid } = process;
  places += 1;
  return { host: `127.${1 + ((pid >> 8) & 127)}.${pid & 255}.1`, port: 20_000 + places };
}

/** Makes beginners below one directory, each name at an address of its own, and ends them all. */
export function beginners() {
  const directory = mkdtempSync(join(tmpdir(), "halon-bootstrap-"));
  const started: Beginner[] = [];
  const listens = new Map<string, ReturnType<typeof place>>();
  return {
    start: async (name: string, options: BeginnerOptions = {}): Promise<Beginner> => {
      const listen = options.listen ?? listens.get(name) ?? place();
      listens.set(name, listen);
      const beginner = await begin({ dataDir: join(directory, name), name, ...options, listen });
      started.push(beginner);
      return beginner;
    },
    close: async (): Promise<void> => {
      await Promise.all(started.splice(0).map((beginner) => beginner.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function begin(options: BeginnerOptions & { readonly dataDir: string }): Promise<Beginner> {
  const dataDir = await openDataDir(options.dataDir);
  const stopping = new AbortController();
  const printed: string[] = [];
  const listeners = new Set<() => void>();
  let listener: Listener | undefined;
  try {
    let setup = loadSetup(dataDir.path, withDefaults(options), Date.now());
    let routes: BootstrapRoutes | undefined;
    let done: CompleteSetup | undefined;
    const { ports } = memoryPorts({
      identity: () => ({
        id: setup.id,
        name: setup.name,
        clusterId: routes?.id().clusterId ?? "",
        version: "0.1.0",
        endpoint: addressOf(setup),
        leaderEndpoint: null,
        role: done?.role ?? null,
      }),
      hello: async (request) => {
        if (done !== undefined) {
          const leader = options.leader ?? (() => null);
          return answerLate({ setup: done, leader, nodes: () => [] }, request);
        }
        if (routes !== undefined) return routes.hello(request);
        throw new HalonError("HAL_NO_LEADER", "not yet");
      },
    });
    listener = await listen({ ...setup.listen, ports, allowedHosts: [] });
    setup = listensAt(setup, listener.port);
    const complete = bootstrap({
      dataDir: dataDir.path,
      setup,
      hear: (given) => {
        routes = given;
      },
      print: (text) => {
        printed.push(text);
        for (const look of listeners) look();
      },
      signal: stopping.signal,
      pace,
    }).then((completed) => {
      done = completed;
      return completed;
    });
    // Who waits sees the rejection; nobody may be waiting.
    complete.catch(() => undefined);
    const { close } = listener;
    return {
      address: addressOf(setup),
      dataDir: dataDir.path,
      printed,
      complete,
      said: (pattern, count = 1) =>
        new Promise((resolve) => {
          const look = () => {
            if (printed.filter((text) => pattern.test(text)).length < count) return;
            listeners.delete(look);
            resolve();
          };
          listeners.add(look);
          look();
        }),
      stop: async (reason) => {
        stopping.abort(reason);
        await close(0);
        dataDir.release();
      },
    };
  } catch (error) {
    await listener?.close(0);
    dataDir.release();
    throw error;
  }
}

function withDefaults(options: BeginnerOptions & { readonly dataDir: string }): NodeOptions {
  const { leader: _, ...given } = options;
  return {
    name: undefined,
    listen: undefined,
    advertise: undefined,
    labels: {},
    allowRun: undefined,
    join: [],
    agencySize: undefined,
    local: undefined,
    store: undefined,
    forgetSetup: false,
    insecure: false,
    log: { level: "info", format: "json", file: undefined },
    ...given,
  };
}
