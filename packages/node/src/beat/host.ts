import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import { EventEmitter } from "eventemitter3";
import type { Logger } from "pino";
import type { Arrival } from "./arrival.ts";
import { nowMs } from "./clock.ts";
import { beatsLateMs, markBeats, type Progress, turn } from "./progress.ts";
import { Targets } from "./targets.ts";
import type { BeatTarget, BeatThreadData, FromBeatThread, ToBeatThread } from "./thread-wire.ts";
import { clusterHashBytes } from "./wire.ts";

const turnMs = 50;
/** The main thread's turns without one of the beat thread, after which that one is ended: 5 s. */
const stillTurns = 100;
const restartMs = 1_000;
const refreshMs = 200;
const stopMs = 1_000;
/** The thread holds a socket and a list: more heap than this is a fault. */
const heapMb = 16;
/** Small, so that what is passed on does not pile up before it is collected. */
const youngMb = 2;

export interface BeatsOptions {
  readonly node: string;
  readonly incarnation: number;
  readonly clusterId: string;
  /** Where the listener is; the beats have the same port over UDP. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Where the parts of the node count their turns. */
  readonly progress: Progress;
  readonly log: Logger;
}

/** To whom this node beats, and whose beats it takes. */
export interface BeatPeers {
  /** `host:port` */
  readonly targets: readonly string[];
  /** Names and known incarnations: beats of others, and of earlier incarnations, are dropped. */
  readonly nodes: ReadonlyMap<string, number>;
}

export interface BeatEvents {
  /** At most 50 ms after the first of them came in. */
  heard: [arrivals: readonly Arrival[]];
  /** The thread has turned 250 ms late or more. */
  late: [ms: number];
}

/** The node's beats, seen from its main thread. */
export interface Beats {
  readonly events: EventEmitter<BeatEvents>;
  /** The UDP port that beats come in at; undefined while there is none. */
  readonly port: number | undefined;
  /** The last beat of a node, as far as the thread has told. */
  last(node: string): Arrival | undefined;
  /** Resolves when all that came in so far has been told; false when the thread does not answer in time. */
  refresh(): Promise<boolean>;
  /** How late the thread is now, in ms: what came in meanwhile has not been seen. */
  lateMs(): number;
  setPeers(peers: BeatPeers): void;
  close(): Promise<void>;
}

/** Starts the beat thread; it runs until `close`, and is started again when it crashes or hangs. */
export function startBeats(options: BeatsOptions, entry = beatEntry()): Beats {
  return new BeatThread(options, entry);
}

interface ThreadPeers {
  readonly targets: readonly BeatTarget[];
  readonly nodes: ReadonlyMap<string, number>;
}

class BeatThread implements Beats {
  readonly events = new EventEmitter<BeatEvents>();
  readonly #options: BeatsOptions;
  readonly #entry: URL;
  readonly #targets: Targets;
  readonly #turns: NodeJS.Timeout;
  readonly #last = new Map<string, Arrival>();
  /** From the clock of all threads to that of this one. */
  readonly #toLocalMs = performance.now() - nowMs();
  readonly #refreshing = new Map<number, (isDone: boolean) => void>();
  #lastRef = 0;
  #peers: ThreadPeers = { targets: [], nodes: new Map() };
  #worker: Worker | undefined;
  #port: number | undefined;
  #exited: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #isClosed = false;
  #still = { mark: 0, turns: 0 };

  constructor(options: BeatsOptions, entry: URL) {
    this.#options = options;
    this.#entry = entry;
    this.#targets = new Targets(options.listen.host, (targets) => this.#tell({ targets }));
    this.#turns = setInterval(() => this.#turn(), turnMs);
    this.#turns.unref();
    this.#start();
  }

  get port(): number | undefined {
    return this.#port;
  }

  last(node: string): Arrival | undefined {
    return this.#last.get(node);
  }

  refresh(): Promise<boolean> {
    const worker = this.#worker;
    if (worker === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#lastRef += 1;
      const ref = this.#lastRef;
      const done = (isDone: boolean): void => {
        clearTimeout(late);
        this.#refreshing.delete(ref);
        resolve(isDone);
      };
      const late = setTimeout(() => done(false), refreshMs);
      this.#refreshing.set(ref, done);
      worker.postMessage({ type: "refresh", ref } satisfies ToBeatThread);
    });
  }

  lateMs(): number {
    if (this.#worker === undefined) return 0;
    return Math.max(0, beatsLateMs(this.#options.progress, nowMs()) - turnMs);
  }

  setPeers({ targets, nodes }: BeatPeers): void {
    for (const node of this.#last.keys()) if (!nodes.has(node)) this.#last.delete(node);
    this.#tell({ nodes });
    this.#targets.set(targets);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#turns);
    clearTimeout(this.#restart);
    this.#targets.close();
    const worker = this.#worker;
    worker?.postMessage({ type: "stop" } satisfies ToBeatThread);
    const late = setTimeout(() => void worker?.terminate(), stopMs);
    await this.#exited;
    clearTimeout(late);
  }

  #start(): void {
    const { node, incarnation, clusterId, listen } = this.#options;
    const hash = createHash("sha256").update(clusterId).digest();
    const cluster = new Uint8Array(hash.subarray(0, clusterHashBytes));
    const workerData: BeatThreadData = {
      node,
      incarnation,
      cluster,
      listen,
      progress: this.#options.progress,
    };
    markBeats(this.#options.progress, nowMs());
    // It is compiled code, and resolves what it imports as such, whatever the process was started with.
    const worker = new Worker(this.#entry, {
      workerData,
      name: "beats",
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: youngMb },
    });
    let reason = "it ended";
    worker.on("message", (message: FromBeatThread) => this.#receive(message));
    worker.on("error", (error) => {
      reason = error.message;
    });
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#ended(reason);
        resolve();
      });
    });
    this.#worker = worker;
    this.#tell({});
  }

  #ended(reason: string): void {
    this.#worker = undefined;
    this.#port = undefined;
    for (const done of this.#refreshing.values()) done(false);
    if (this.#isClosed) return;
    this.#options.log.error({ reason }, "the beat thread has ended; it is started again");
    this.#restart = setTimeout(() => this.#start(), restartMs);
  }

  #receive(message: FromBeatThread): void {
    switch (message.type) {
      case "bound":
        this.#bound(message.port, message.reason);
        return;
      case "heard": {
        const arrivals = message.arrivals.map((one) => ({ ...one, at: one.at + this.#toLocalMs }));
        for (const arrival of arrivals) this.#last.set(arrival.node, arrival);
        this.events.emit("heard", arrivals);
        return;
      }
      case "refreshed":
        this.#refreshing.get(message.ref)?.(true);
        return;
      case "late":
        this.events.emit("late", message.ms);
        return;
    }
  }

  #bound(port: number, reason: string | null): void {
    if (reason === null) {
      this.#port = port;
      return;
    }
    this.#options.log.warn(
      { reason, port: this.#options.listen.port },
      "beats of others cannot be received: the UDP port is taken; their links are judged instead",
    );
  }

  #tell(change: Partial<ThreadPeers>): void {
    this.#peers = { ...this.#peers, ...change };
    this.#worker?.postMessage({ type: "peers", ...this.#peers } satisfies ToBeatThread);
  }

  /** Counts turns rather than time: whatever stops the whole process stops this, too. */
  #turn(): void {
    turn(this.#options.progress, "main");
    const mark = beatsLateMs(this.#options.progress, 0);
    this.#still = { mark, turns: mark === this.#still.mark ? this.#still.turns + 1 : 0 };
    if (this.#still.turns < stillTurns || this.#worker === undefined) return;
    this.#still.turns = 0;
    this.#options.log.error("the beat thread hangs; it is ended");
    void this.#worker.terminate();
  }
}

/** A thread cannot load TypeScript. */
function beatEntry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/bundle/beat.js", here)
    : new URL("../bundle/beat.js", here);
}
