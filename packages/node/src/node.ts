import type { IncomingMessage, ServerResponse } from "node:http";
import { type ActorSystem, createSystem } from "@halon/actor";
import type { NodeIdentity } from "@halon/api";
import { type HistoryQuery, openBlobs, type StoreData, traceReport } from "@halon/coordinator";
import { type EventEntry, HalonError } from "@halon/protocol";
import { createRuntime, linkPackages, monotonicMs, type Runtime } from "@halon/service/host";
import { redirectToAgency } from "./agency-redirect.ts";
import { Agent } from "./agent.ts";
import { NodeBeats } from "./beat/node-beats.ts";
import { BlobKeeper, tellDamaged } from "./blob-keeper.ts";
import { answerLate } from "./bootstrap/late.ts";
import type { AllowedPrograms } from "./core/allowed-programs.ts";
import type { CompleteSetup } from "./core/bootstrap-setup.ts";
import type { DataDir } from "./data-dir.ts";
import { aborted, deferred } from "./deferred.ts";
import type { Door } from "./door.ts";
import { Effects } from "./effects.ts";
import { handOver } from "./hand-over.ts";
import { Identity } from "./identity.ts";
import { acceptLinks, LeaderLinks } from "./links.ts";
import type { NodeLog } from "./log.ts";
import type { MemberHost } from "./member/host.ts";
import { keepSamples, warnOfLastSample } from "./memory-samples.ts";
import type { NodeOptions, RunningNode } from "./options.ts";
import { memberIdOf, startOwnMember } from "./own-member.ts";
import { createPorts, type PortsOptions } from "./ports.ts";
import { Replica } from "./replica.ts";
import { Satellite } from "./satellite.ts";
import { ServiceCalls } from "./service-calls.ts";
import { openServiceLogs } from "./service-logs.ts";
import { ServiceProcesses } from "./service-processes.ts";
import { serviceRunners } from "./service-runners.ts";
import { Station } from "./station/station.ts";
import { Internals } from "./supervisor/internals.ts";
import { version } from "./version.ts";

const leaveDeadlineMs = 2_000;
const flushDeadlineMs = 2_000;

/** What stands before a node begins. */
export interface NodeParts {
  readonly setup: CompleteSetup;
  readonly labels: NodeOptions["labels"];
  readonly allowed: AllowedPrograms;
  readonly dataDir: DataDir;
  readonly door: Door;
  readonly log: NodeLog;
}

/** The parts of a node of a complete cluster, and their order of start and stop. */
export class Node {
  readonly #parts: NodeParts;
  readonly #identity: Identity;
  readonly #blobs: BlobKeeper;
  readonly #system: ActorSystem;
  readonly #replica = new Replica(() => performance.now());
  readonly #runtime: Runtime;
  readonly #agent: Agent;
  readonly #processes: ServiceProcesses;
  readonly #calls: ServiceCalls;
  readonly #effects: Effects;
  readonly #links: LeaderLinks;
  readonly #beats: NodeBeats;
  readonly #ready = deferred();
  readonly #ended = deferred();
  #member: MemberHost | undefined;
  #station: Station | undefined;
  #satellite: Satellite | undefined;
  #samples: { close(): void } | undefined;
  #internals: Internals | undefined;
  #stopping: Promise<void> | undefined;

  /** Opens what is on the disk; nothing runs yet. */
  static async open(parts: NodeParts): Promise<Node> {
    return new Node(parts, await openBlobs(parts.dataDir.path));
  }

  private constructor(parts: NodeParts, blobs: Awaited<ReturnType<typeof openBlobs>>) {
    this.#parts = parts;
    this.#identity = new Identity(parts.setup, parts.labels);
    const { name, incarnation, clusterId } = this.#identity;
    const log = parts.log.logger;
    this.#system = createSystem({ node: name, incarnation });
    this.#blobs = new BlobKeeper({
      name,
      system: this.#system,
      blobs,
      others: this.#trackingPeers().map((peer) => peer.name),
      leader: () => (this.#station?.leads === true ? name : this.#links.peer),
    });
    const graph = () => this.#replica.view;
    const processor = () => this.#internals?.processor;
    this.#calls = new ServiceCalls({ node: name, system: this.#system, graph, processor });
    this.#runtime = createRuntime({
      directory: this.#calls,
      node: name,
      dataDir: parts.dataDir.path,
      blobPath: (hash) => blobs.path(hash),
      emit: (event) => {
        const { type, data } = event;
        this.#processes.take(event);
        traceReport(type, data);
        this.#agent.emit(type, data);
      },
      ...serviceRunners,
      now: monotonicMs,
    });
    this.#processes = new ServiceProcesses(this.#system, this.#runtime);
    const emit = (type: string, data: unknown) => this.#agent.emit(type, data);
    const around = { dataDir: parts.dataDir.path, allowed: parts.allowed, log, emit };
    this.#effects = new Effects({ node: name, clusterId, ...around });
    this.#agent = new Agent({
      name,
      incarnation,
      system: this.#system,
      runtime: this.#runtime,
      blobs: this.#blobs,
      log,
      internals: () => this.#internals,
      effects: this.#effects,
      describe: () => this.#identity.describe(),
      attached: ({ index }) => {
        this.#satellite?.attached(index);
        this.#beats.follow();
        this.#ready.resolve();
      },
      refused: () => this.#satellite?.refused(),
      delta: (delta) => this.#satellite?.follow(delta),
      heard: (index) => this.#replica.heard(index),
    });
    this.#links = new LeaderLinks({
      system: this.#system,
      log,
      hello: () => this.#identity.hello(),
      up: (peer) => this.#agent.connected(peer.node),
      down: () => this.#agent.disconnected(),
    });
    this.#beats = new NodeBeats({
      identity: this.#identity,
      system: this.#system,
      replica: this.#replica,
      log,
      leader: () => this.#agent.leader,
    });
  }

  /** Resolves when a leader has taken this node in; aborted before, it rejects with the signal's reason. */
  async start(signal: AbortSignal): Promise<RunningNode> {
    const { dataDir, log, door } = this.#parts;
    const { name, role, endpoint } = this.#identity;
    warnOfLastSample(dataDir.path, log.logger);
    this.#samples = keepSamples(dataDir.path, () => this.#runtime.samples());
    await this.#blobs.find(tellDamaged(log.logger));
    await linkPackages(dataDir.path);
    await this.#runtime.adopt();
    this.#processes.adopted();
    this.#internals = new Internals({
      node: name,
      incarnation: this.#identity.incarnation,
      system: this.#system,
      runtime: this.#runtime,
      replica: this.#replica,
      blobs: this.#blobs,
      agent: this.#agent,
      log: log.logger,
      turned: () => this.#beats.turned("supervisor"),
      check: (of, withinMs) => this.#calls.check(of, withinMs),
    });
    const ports = createPorts(this.#portsOptions());
    const accept = acceptLinks({
      system: this.#system,
      log: log.logger,
      hello: () => this.#identity.hello(),
      check: (peer) =>
        this.#station === undefined
          ? `${name} is a satellite; connect to the node that leads`
          : this.#station.refusal(peer.node, peer.incarnation),
    });
    if (role === "tracking") await this.#startStation();
    door.open({
      ports,
      request: (request, response) => this.#request(request, response),
      upgrade: (request, socket, head) =>
        this.#member?.upgrade(request, socket, head) === true || accept(request, socket, head),
    });
    if (this.#station !== undefined) {
      await this.#station.start();
      this.#internals.track(this.#station, this.#member);
    } else this.#startSatellite();
    await Promise.race([this.#ready.promise, aborted(signal)]);
    this.#beats.events.on("heard", (arrivals) => this.#internals?.hear(arrivals));
    this.#beats.begin();
    log.logger.info({ endpoint, role, leader: this.#agent.leader }, "ready");
    return {
      name,
      endpoint,
      role,
      leader: this.#agent.leader ?? name,
      ended: this.#ended.promise,
      reopenLog: () => log.reopen(),
      stop: (how) => this.#stop(how?.keepServices === true),
    };
  }

  /** Undoes a start that failed; what ran before goes on. */
  async abandon(): Promise<void> {
    this.#samples?.close();
    this.#agent.close();
    this.#satellite?.close();
    this.#links.close();
    await this.#runtime.shutdown({ keep: true });
    await this.#internals?.close();
    await this.#effects.close();
    await this.#station?.close();
    await this.#beats.close();
    await this.#member?.close();
    await this.#calls.close();
    await this.#system.close();
  }

  async #startStation(): Promise<void> {
    const { setup, dataDir, log } = this.#parts;
    const { name, endpoint, clusterId } = this.#identity;
    if (setup.store === "embedded") await this.#startMember();
    const names = [name, ...this.#trackingPeers().map((peer) => peer.name)];
    this.#blobs.serve();
    this.#station = new Station({
      name,
      address: endpoint,
      clusterId,
      dataDir: dataDir.path,
      trackingNodes: new Set(names),
      system: this.#system,
      replica: this.#replica,
      beats: this.#beats,
      blobs: this.#blobs,
      log: log.logger,
      openStore: () => this.#openStore(),
      handOver: () =>
        this.#member === undefined
          ? Promise.resolve()
          : handOver(endpoint, this.#trackingPeers().map(memberIdOf)),
      ownerChanged: (address) => this.#ownerChanged(address),
      links: this.#links,
      leaderAddress: async () => (await this.#member?.status())?.leaderAddress ?? null,
    });
  }

  async #startMember(): Promise<void> {
    const { setup, dataDir, log } = this.#parts;
    this.#member = await startOwnMember({
      setup,
      dataDir: dataDir.path,
      identity: this.#identity,
      peers: this.#trackingPeers(),
      log: (line) => log.logger.info(line),
      onEnd: (error) => {
        this.#ready.reject(error);
        this.#ended.reject(error);
      },
    });
  }

  #openStore(): StoreData {
    return this.#member === undefined
      ? { type: "etcd", url: this.#parts.setup.store }
      : { type: "agency", port: this.#member.openHostLog() };
  }

  /** Links and events go to the node that leads; while nobody does, they stay where they are. */
  #ownerChanged(address: string | null): void {
    const { name, endpoint } = this.#identity;
    if (address === null) return;
    if (address !== endpoint) {
      if (this.#links.address !== address) this.#agent.disconnected();
      this.#links.follow(address);
      return;
    }
    this.#links.follow(null);
    this.#agent.connected(name);
  }

  #startSatellite(): void {
    const { setup, log } = this.#parts;
    this.#satellite = new Satellite({
      system: this.#system,
      replica: this.#replica,
      links: this.#links,
      log: log.logger,
      candidates: () => [
        ...this.#identity.trackingNodes,
        ...this.#replica.view
          .list("Node", { role: "tracking" })
          .map(({ attributes }) => attributes.address),
        ...setup.join,
      ],
    });
  }

  #portsOptions(): PortsOptions {
    const { dataDir, setup } = this.#parts;
    return {
      role: this.#identity.role,
      replica: this.#replica,
      blobs: this.#blobs,
      logs: openServiceLogs(dataDir.path),
      identity: () => this.#describe(),
      hello: (request) =>
        answerLate(
          {
            setup,
            leader: () => this.#leaderEndpoint(),
            nodes: () =>
              this.#replica.view
                .list("Node")
                .map(({ id, attributes }) => ({ name: id, address: attributes.address })),
          },
          request,
        ),
      starting: () => null,
      leader: () => this.#agent.leader ?? null,
      leads: () => this.#station?.leads ?? false,
      coordinator: () => {
        if (this.#station !== undefined) return this.#station.coordinator;
        throw new HalonError("HAL_NO_LEADER", `${this.#identity.name} is a satellite. Try again.`);
      },
      history: (query) => this.#history(query),
      send: this.#calls.send,
      processor: () => this.#internals?.processor,
      notReady: () => this.#notReady(),
      shutdown: ({ keepServices }) => {
        this.#stop(keepServices).then(this.#ended.resolve, this.#ended.reject);
      },
    };
  }

  #describe(): NodeIdentity {
    const { id, name, clusterId, endpoint, role } = this.#identity;
    return { id, name, clusterId, version, endpoint, role, leaderEndpoint: this.#leaderEndpoint() };
  }

  #history(query: HistoryQuery): Promise<readonly EventEntry[]> {
    if (this.#station !== undefined) return this.#station.history(query);
    if (this.#satellite !== undefined) return this.#satellite.history(query);
    return Promise.reject(new HalonError("HAL_NO_LEADER", "The node is starting. Try again."));
  }

  /** The own one only while the coordinator here decides. */
  #leaderEndpoint(): string | null {
    const { endpoint } = this.#identity;
    if (this.#station?.leads === true) return endpoint;
    const address = this.#station === undefined ? this.#links.address : this.#station.owner;
    return address === endpoint ? null : address;
  }

  #notReady(): string | null {
    if (this.#agent.leader !== undefined) return null;
    return this.#station?.waitsFor ?? "no leader has taken this node in yet";
  }

  /** The routes of the agency are the member's; a satellite sends them to a tracking node. */
  #request(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#member !== undefined) return this.#member.handle(request, response);
    if (this.#station !== undefined) return false;
    const address = this.#links.address ?? this.#identity.trackingNodes[0];
    return redirectToAgency(request, response, address);
  }

  #trackingPeers(): CompleteSetup["peers"] {
    const { peers, id } = this.#parts.setup;
    return peers.filter((peer) => peer.role === "tracking" && peer.id !== id);
  }

  #stop(keep: boolean): Promise<void> {
    this.#stopping ??= this.#stopInOrder(keep);
    return this.#stopping;
  }

  /** Leaves first, so that nobody starts again here what is being stopped; leadership goes to another before the end. */
  async #stopInOrder(keep: boolean): Promise<void> {
    const { log, door, dataDir } = this.#parts;
    log.logger.info({ keepServices: keep }, "stopping");
    if (!keep) await this.#agent.leave(leaveDeadlineMs);
    await this.#runtime.shutdown({ keep });
    await this.#internals?.close();
    this.#samples?.close();
    await this.#effects.close();
    await this.#agent.flushed(flushDeadlineMs);
    this.#agent.close();
    this.#satellite?.close();
    this.#links.close();
    await this.#station?.close();
    await this.#beats.close();
    await this.#member?.close();
    await door.close();
    await this.#calls.close();
    await this.#system.close();
    dataDir.release();
  }
}
