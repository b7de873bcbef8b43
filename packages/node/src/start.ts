import { type ActorSystem, createSystem } from "@halon/actor";
import { type Listener, listen } from "@halon/api";
import { type Blobs, type HistoryQuery, openBlobs, trace, traceReport } from "@halon/coordinator";
import { type EventEntry, HalonError, toErrorData } from "@halon/protocol";
import {
  adoptProcesses,
  createRuntime,
  linkPackages,
  type Runtime,
  type StartRunner,
  startProcess,
  startWorker,
} from "@halon/service/host";
import { Agent } from "./agent.ts";
import { type DataDir, openDataDir } from "./data-dir.ts";
import { Identity } from "./identity.ts";
import { acceptLinks } from "./links.ts";
import { type NodeLog, openLog } from "./log.ts";
import { keepSamples, readLastSample } from "./memory-samples.ts";
import type { NodeOptions, RunningNode } from "./options.ts";
import { createPorts, type PortsOptions } from "./ports.ts";
import { Replica } from "./replica.ts";
import { Satellite } from "./satellite.ts";
import { openServiceLogs } from "./service-logs.ts";
import { ServiceProcesses, sendToService } from "./service-processes.ts";
import { Tracker } from "./tracker.ts";
import { version } from "./version.ts";

const leaveDeadlineMs = 2_000;
const flushDeadlineMs = 2_000;

/** Starts a node; resolves when the coordinator has taken it in. Errors name what stands in the way and the remedy. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  if (process.platform !== "linux") {
    throw new HalonError("HAL_PLATFORM", `halond runs on Linux only; this is ${process.platform}.`);
  }
  const dataDir = await openDataDir(options.dataDir);
  let node: Node | undefined;
  try {
    node = new Node(options, dataDir, await openBlobs(dataDir.path));
    return await node.start();
  } catch (error) {
    await node?.abandon();
    dataDir.release();
    throw error;
  }
}

/** The parts of a node, and their order of start and stop. */
class Node {
  readonly #options: NodeOptions;
  readonly #dataDir: DataDir;
  readonly #identity: Identity;
  readonly #log: NodeLog;
  readonly #blobs: Blobs;
  readonly #blobsHere = new Set<string>();
  readonly #system: ActorSystem;
  readonly #replica = new Replica(() => performance.now());
  readonly #runtime: Runtime;
  readonly #agent: Agent;
  readonly #processes: ServiceProcesses;
  readonly #ready = deferred();
  readonly #ended = deferred();
  #tracker: Tracker | undefined;
  #satellite: Satellite | undefined;
  #listener: Listener | undefined;
  #samples: { close(): void } | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: NodeOptions, dataDir: DataDir, blobs: Blobs) {
    this.#options = options;
    this.#dataDir = dataDir;
    this.#blobs = blobs;
    this.#identity = new Identity(options, dataDir.path);
    const { name, incarnation } = this.#identity;
    this.#log = openLog({ ...options.log, name });
    this.#system = createSystem({ node: name, incarnation });
    this.#runtime = createRuntime({
      node: name,
      dataDir: dataDir.path,
      blobPath: (hash) => blobs.path(hash),
      emit: (event) => {
        const { type, data } = event;
        this.#processes.take(event);
        traceReport(type, data);
        this.#agent.emit(type, data);
      },
      startWorker: traced(startWorker),
      startProcess: traced(startProcess),
      adoptProcesses,
      now: () => performance.now(),
    });
    this.#processes = new ServiceProcesses(this.#system, this.#runtime);
    this.#agent = new Agent({
      name,
      incarnation,
      system: this.#system,
      runtime: this.#runtime,
      blobs,
      blobsHere: this.#blobsHere,
      log: this.#log.logger,
      describe: () => this.#identity.describe(),
      attached: ({ clusterId }) => {
        this.#identity.remember({
          clusterId,
          leader: this.#leaderEndpoint() ?? this.#identity.endpoint,
        });
        this.#ready.resolve();
      },
      delta: (delta) => this.#satellite?.follow(delta),
    });
  }

  async start(): Promise<RunningNode> {
    const { name, role } = this.#identity;
    const last = readLastSample(this.#dataDir.path);
    if (last !== undefined) {
      this.#log.logger.warn(
        last,
        "the halond before this one ended without a stop; the worker with the most memory was",
      );
    }
    this.#samples = keepSamples(this.#dataDir.path, () => this.#runtime.samples());
    await this.#findBlobs();
    await linkPackages(this.#dataDir.path);
    await this.#runtime.adopt();
    if (role === "tracking") await this.#startTracker();
    await this.#listen();
    if (role === "tracking") this.#agent.connected(name);
    else this.#startSatellite();
    await this.#ready.promise;
    const { endpoint } = this.#identity;
    this.#log.logger.info({ endpoint, role }, "ready");
    return {
      name,
      endpoint,
      role,
      leader: this.#leader() ?? name,
      ended: this.#ended.promise,
      reopenLog: () => this.#log.reopen(),
      stop: (how) => this.#stop(how?.keepServices === true),
    };
  }

  /** Code that a disk has changed is not run: a satellite fetches it again, the tracking node says what is missing. */
  async #findBlobs(): Promise<void> {
    for (const hash of await this.#blobs.list()) {
      if (await this.#blobs.verify(hash)) this.#blobsHere.add(hash);
      else
        this.#log.logger.error(
          { blob: hash },
          "a damaged blob was removed; apply the cluster file again where no other node has it",
        );
    }
  }

  /** Undoes a start that failed; what ran before goes on. */
  async abandon(): Promise<void> {
    this.#samples?.close();
    this.#agent.close();
    this.#satellite?.close();
    await this.#runtime.shutdown({ keep: true });
    await this.#listener?.close();
    await this.#tracker?.close();
    await this.#system.close();
  }

  async #startTracker(): Promise<void> {
    this.#tracker = await Tracker.start({
      name: this.#identity.name,
      dataDir: this.#dataDir.path,
      clusterId: this.#identity.clusterId,
      system: this.#system,
      replica: this.#replica,
      blobs: this.#blobs,
      log: this.#log.logger,
    });
  }

  #startSatellite(): void {
    this.#satellite = new Satellite({
      system: this.#system,
      replica: this.#replica,
      log: this.#log.logger,
      join: this.#options.join,
      leader: this.#identity.knownLeader,
      hello: () => this.#identity.hello(),
      connected: (peer) => this.#agent.connected(peer.node),
      disconnected: () => this.#agent.disconnected(),
    });
  }

  async #listen(): Promise<void> {
    const { listen: address, advertise } = this.#options;
    const log = this.#log.logger;
    this.#listener = await listen({
      ...address,
      allowedHosts: advertise === undefined ? [] : [advertise.slice(0, advertise.lastIndexOf(":"))],
      ports: createPorts(this.#portsOptions()),
      onUpgrade: acceptLinks({
        system: this.#system,
        log,
        hello: () => this.#identity.hello(),
        check: (peer) =>
          this.#tracker === undefined
            ? `${this.#identity.name} is a satellite; connect to the tracking node`
            : this.#tracker.refusal(peer.node, peer.incarnation),
      }),
      onFault: (error) => log.error({ reason: toErrorData(error).message }, "a route failed"),
    });
    this.#identity.port = this.#listener.port;
    this.#dataDir.announce(this.#identity.endpoint);
  }

  #portsOptions(): PortsOptions {
    const identity = this.#identity;
    return {
      name: identity.name,
      version,
      role: identity.role,
      replica: this.#replica,
      blobs: this.#blobs,
      blobsHere: this.#blobsHere,
      logs: openServiceLogs(this.#dataDir.path),
      endpoint: () => identity.endpoint,
      clusterId: () => identity.clusterId,
      leader: () => this.#leader(),
      leaderEndpoint: () => this.#leaderEndpoint(),
      coordinator: () => {
        if (this.#tracker !== undefined) return this.#tracker.coordinator;
        throw new HalonError(
          "HAL_NO_LEADER",
          `Ask the tracking node at ${this.#leaderEndpoint() ?? "an address not known yet"}.`,
        );
      },
      history: (query) => this.#history(query),
      send: (service, call, timeoutMs) =>
        sendToService(this.#system, this.#replica.view, service, call, timeoutMs),
      notReady: () => this.#notReady(),
      shutdown: ({ keepServices }) => {
        this.#stop(keepServices).then(this.#ended.resolve, this.#ended.reject);
      },
    };
  }

  async #history(query: HistoryQuery): Promise<readonly EventEntry[]> {
    if (this.#tracker !== undefined) return this.#tracker.coordinator.history(query);
    if (this.#satellite !== undefined) return this.#satellite.history(query);
    throw new HalonError("HAL_NO_LEADER", "The node is starting. Try again.");
  }

  #leader(): string | null {
    if (this.#identity.role === "satellite") return this.#satellite?.leader ?? null;
    return this.#tracker?.notReady === null ? this.#identity.name : null;
  }

  #leaderEndpoint(): string | null {
    return this.#identity.role === "tracking"
      ? this.#identity.endpoint
      : (this.#satellite?.address ?? null);
  }

  #notReady(): string | null {
    if (this.#tracker !== undefined) return this.#tracker.notReady;
    return this.#satellite?.leader === undefined ? "the tracking node cannot be reached" : null;
  }

  #stop(keep: boolean): Promise<void> {
    this.#stopping ??= this.#stopInOrder(keep);
    return this.#stopping;
  }

  /** Leaves first, so that nobody starts again here what is being stopped. */
  async #stopInOrder(keep: boolean): Promise<void> {
    this.#log.logger.info({ keepServices: keep }, "stopping");
    if (!keep) await this.#agent.leave(leaveDeadlineMs);
    await this.#runtime.shutdown({ keep });
    this.#samples?.close();
    await this.#agent.flushed(flushDeadlineMs);
    this.#agent.close();
    this.#satellite?.close();
    await this.#listener?.close();
    await this.#tracker?.close();
    await this.#system.close();
    this.#dataDir.release();
  }
}

function traced(startRunner: StartRunner): StartRunner {
  return (spec, listener) => {
    trace("spawn", spec.instance);
    const runner = startRunner(spec, listener);
    trace("spawned", spec.instance);
    return runner;
  };
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function deferred(): Deferred {
  let settle: Omit<Deferred, "promise"> | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) };
}
