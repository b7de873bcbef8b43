import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { getHeapStatistics } from "node:v8";
import { type MessagePort, parentPort } from "node:worker_threads";
import { limits } from "../limits.ts";
import type { ServicePort } from "./port.ts";
import { createPossessions, type Possessions, possessionTypes } from "./possessions.ts";
import { type Served, serve } from "./serve.ts";
import { type SharedMessage, wordOf } from "./shared.ts";
import { createThrottle } from "./throttle.ts";
import type { SharedThreadEvent } from "./wire.ts";

/** A service in this thread. Its code, and all that it sets in motion, runs with the resident as its async context. */
interface Resident {
  readonly slot: number;
  readonly blobUrl: string;
  readonly port: MessagePort;
  readonly possessions: Possessions;
  readonly output: (text: string) => void;
  /** Bytes that its code allocated, as far as that can be told; the older ones count less and less. */
  allocated: number;
  /** Monotonic ms; null while it runs. */
  endedAt: number | null;
  hasOutlived: boolean;
  served: Served | undefined;
}

const residents = new Map<number, Resident>();
/** How often a service of this file ended badly: what it left in the variables of its module is not for the next one. */
const generations = new Map<string, number>();
const context = new AsyncLocalStorage<Resident>();

/** Runs services that come and go, side by side in this thread, and keeps apart what can be kept apart. */
export function serveShared(words: Int32Array): void {
  const switchTo = createSwitch(words);
  createHook({
    init(_id, type, _trigger, resource) {
      if (possessionTypes.has(type)) context.getStore()?.possessions.add(resource);
    },
    before() {
      const resident = context.getStore();
      switchTo(resident);
      if (resident !== undefined && resident.endedAt !== null) outlive(resident);
    },
  }).enable();
  redirect();
  process.on("uncaughtException", (error) => {
    const resident = context.getStore() ?? residents.get(Atomics.load(words, wordOf.running));
    // Nobody can say whose it was, so nobody can say that the others are well.
    if (resident === undefined) throw error;
    if (resident.endedAt === null) resident.served?.crash(error);
  });
  parentPort?.on("message", (message: SharedMessage) => {
    if (message.type === "drop") drop(message.slot);
    else begin(message, switchTo);
  });
}

function begin(
  { slot, service, port }: Extract<SharedMessage, { type: "serve" }>,
  switchTo: (resident: Resident | undefined) => void,
): void {
  const output = createThrottle(
    (text) => {
      port.postMessage({ event: { type: "output", text } });
    },
    () => performance.now(),
  );
  const possessions = createPossessions();
  const resident: Resident = {
    slot,
    blobUrl: service.blobUrl,
    port,
    possessions,
    output,
    allocated: 0,
    endedAt: null,
    hasOutlived: false,
    served: undefined,
  };
  residents.set(slot, resident);
  const enter = (call: () => void) =>
    context.run(resident, () => {
      switchTo(resident);
      call();
    });
  enter(() => {
    resident.served = serve({
      data: { ...service, blobUrl: freshUrl(service.blobUrl) },
      port: portWithin(port, enter),
      write: output,
      ended: (code) => {
        port.postMessage({ event: { type: "ended", code } });
        letGo(resident, code !== 0);
      },
    });
  });
  switchTo(undefined);
}

/** Services of one file share its module, but not with one before them that ended badly. */
function freshUrl(blobUrl: string): string {
  const generation = generations.get(blobUrl);
  return generation === undefined ? blobUrl : `${blobUrl}?generation=${generation}`;
}

/** A message comes in the context of the thread; what it leads to is the service's. */
function portWithin(port: MessagePort, enter: (call: () => void) => void): ServicePort {
  const inner = new Map<unknown, (message: unknown) => void>();
  return {
    postMessage: (message) => port.postMessage(message),
    on(type, listener) {
      const within = (message: unknown) => enter(() => listener(message));
      inner.set(listener, within);
      port.on(type, within);
    },
    off(type, listener) {
      const within = inner.get(listener);
      if (within !== undefined) port.off(type, within);
      inner.delete(listener);
    },
  };
}

function drop(slot: number): void {
  const resident = residents.get(slot);
  if (resident !== undefined) letGo(resident, true);
  tell({ type: "dropped", slot });
}

/** Takes from a service what would run on. */
function letGo(resident: Resident, wasBad: boolean): void {
  const { blobUrl } = resident;
  if (wasBad) generations.set(blobUrl, (generations.get(blobUrl) ?? 0) + 1);
  resident.endedAt = performance.now();
  residents.delete(resident.slot);
  // In a turn of its own: what ends it may be its own code, which goes on to its next await.
  context.exit(() =>
    setImmediate(() => {
      resident.possessions.end();
      resident.port.close();
    }),
  );
}

/** Ends that were called for take a moment; code that still runs then will not end by itself. */
function outlive(resident: Resident): void {
  const isLate = performance.now() - (resident.endedAt ?? 0) >= limits.outliveMs;
  if (!isLate || resident.hasOutlived) return;
  resident.hasOutlived = true;
  tell({ type: "outlived", slot: resident.slot });
}

function tell(event: SharedThreadEvent): void {
  parentPort?.postMessage(event);
}

/** Notes whose code runs, and what it allocates until another's does. */
function createSwitch(words: Int32Array): (resident: Resident | undefined) => void {
  let running: Resident | undefined;
  let heapBytes = 0;
  let halvedAt = performance.now();
  return (resident) => {
    if (resident === running) return;
    const { used_heap_size: used, external_memory: external } = getHeapStatistics();
    if (running !== undefined) running.allocated += Math.max(0, used + external - heapBytes);
    heapBytes = used + external;
    running = resident;
    Atomics.store(words, wordOf.running, resident?.slot ?? 0);
    if (performance.now() - halvedAt < limits.beatEveryMs) return;
    halvedAt = performance.now();
    let greediest: Resident | undefined;
    for (const each of residents.values()) {
      each.allocated /= 2;
      if (each.allocated > (greediest?.allocated ?? 0)) greediest = each;
    }
    Atomics.store(words, wordOf.greediest, greediest?.slot ?? 0);
  };
}

/** What belongs to the thread as a whole goes to the service that uses it. */
function redirect(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = ((chunk: Uint8Array | string, ...rest: unknown[]) => {
      const resident = context.getStore();
      if (resident === undefined) return write(chunk, ...rest);
      resident.output(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
      const done = rest.find((each) => typeof each === "function");
      if (done !== undefined) queueMicrotask(done as () => void);
      return true;
    }) as typeof stream.write;
  }
  const exit = process.exit.bind(process);
  process.exit = ((code?: number) => {
    const resident = context.getStore();
    if (resident === undefined) return exit(code);
    resident.served?.exit(Number(code ?? 0));
    // Its code does not expect to go on. It has ended, so nobody hears of this.
    throw new Error("the service has ended: it called process.exit");
  }) as typeof process.exit;
}
