import { type ActorSystem, failure } from "@halon/actor";
import {
  type CoordinatorHost,
  type CoordinatorNews,
  entriesOf,
  type HistoryQuery,
  type StoreData,
  startCoordinator,
} from "@halon/coordinator";
import { type DecisionRecord, type EventEntry, HalonError, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import type { HeardBeats } from "../beat/node-beats.ts";
import type { BlobKeeper } from "../blob-keeper.ts";
import type { LeaderLinks } from "../links.ts";
import { bulk, historyName, type ToHistory } from "../messages.ts";
import type { Replica } from "../replica.ts";
import { Tracker } from "../tracker.ts";
import { fillJournal, type JournalFillerOptions, serveJournal } from "./journal-filler.ts";
import { RecoverySupervisor, type SupervisorStatus } from "./supervisor.ts";

const journalBytesMax = 1_073_741_824;
const journalAgeMaxMs = 30 * 86_400_000;
const textChunkBytes = 1_048_576;
/** While no coordinator runs here, the member is asked so often who leads. */
const askMemberEveryMs = 100;

export interface StationOptions {
  readonly name: string;
  /** `host:port` of this node, as others reach it. */
  readonly address: string;
  readonly clusterId: string;
  readonly dataDir: string;
  /** Names of all tracking nodes, this one's included. */
  readonly trackingNodes: ReadonlySet<string>;
  readonly system: ActorSystem;
  readonly replica: Replica;
  readonly beats: HeardBeats;
  readonly blobs: BlobKeeper;
  readonly log: Logger;
  /** Asked before every start of the coordinator. */
  openStore(): StoreData;
  /** Asks the agency for another leader. */
  handOver(): Promise<void>;
  /** Another node owns the store, or none that is known. */
  ownerChanged(address: string | null): void;
  /** To the leader, while this node does not lead. */
  readonly links: Pick<LeaderLinks, "peer" | "lost">;
  /** `host:port` of the leader as this node's member knows it; null where it does not, or there is no member. */
  leaderAddress(): Promise<string | null>;
}

/** A tracking node's part: its coordinator, the replica that it feeds, and the leader's part when it leads (rfc/0006). */
export class Station {
  readonly #options: StationOptions;
  readonly #supervisor: RecoverySupervisor;
  readonly #tracker: Tracker;
  #owner: string | null = null;
  #askMember: NodeJS.Timeout | undefined;

  constructor(options: StationOptions) {
    this.#options = options;
    const { name, address, dataDir, clusterId, log, trackingNodes, system } = options;
    const { replica, beats } = options;
    this.#tracker = new Tracker({
      name,
      clusterId,
      trackingNodes,
      system,
      replica,
      beats,
      log,
      owner: () => this.#owner,
      lostLeader: () => options.links.lost,
    });
    this.#supervisor = new RecoverySupervisor({
      log,
      start: (suspects, hear) =>
        startCoordinator(
          {
            dataDir,
            address,
            store: options.openStore(),
            newCluster: { id: clusterId, name: "halon" },
            journalBytesMax,
            journalAgeMaxMs,
            suspects,
          },
          hear,
        ),
      hear: (news) => this.#hear(news),
      ended: () => this.#ended(),
      handOver: () => options.handOver(),
    });
    this.#serve();
  }

  /** Resolves when the coordinator has read its log. Errors: HAL_DATA_DIR_INVALID and others of a disk that cannot be used. */
  async start(): Promise<void> {
    await this.#supervisor.start();
    const { clusterId, dataDir } = this.#options;
    const found = this.#supervisor.coordinator?.clusterId ?? clusterId;
    if (found === clusterId) return;
    const message = `The log in ${dataDir} is of cluster ${found}, setup.json of cluster ${clusterId}: two data directories were mixed. Restore the one that belongs there.`;
    throw new HalonError("HAL_DATA_DIR_INVALID", message);
  }

  get leads(): boolean {
    return this.#tracker.leads;
  }

  /** `host:port` of the node whose coordinator owns the store, as far as is known. */
  get owner(): string | null {
    return this.#owner;
  }

  /** Standby or owner. Errors: HAL_NO_LEADER while it starts. */
  get coordinator(): CoordinatorHost {
    const { coordinator } = this.#supervisor;
    if (coordinator !== undefined) return coordinator;
    throw new HalonError("HAL_NO_LEADER", `${this.waitsFor}. Try again.`);
  }

  /** Of the coordinator's threads here. */
  get status(): SupervisorStatus {
    return this.#supervisor.status;
  }

  /** What stands between this node and a leader, as a sentence without its end. */
  get waitsFor(): string {
    const { phase, restarts, reason } = this.#supervisor.status;
    if (phase === "starting") {
      const why = reason === null ? "" : ` (end ${restarts}: ${reason})`;
      return `the coordinator of this node is starting${why}`;
    }
    if (phase === "leading") return "this node has not attached to its own coordinator yet";
    if (this.#owner === null) return "no leader is known; a majority of tracking nodes must run";
    return `the leader at ${this.#owner} has not taken this node in yet`;
  }

  /** Why a peer may not connect, or null. */
  refusal(node: string, incarnation: number): string | null {
    return this.#tracker.refusal(node, incarnation);
  }

  history(query: HistoryQuery): Promise<readonly EventEntry[]> {
    return this.coordinator.history(query);
  }

  async close(): Promise<void> {
    clearInterval(this.#askMember);
    this.#tracker.close();
    await this.#supervisor.close();
  }

  #hear(news: CoordinatorNews): void {
    switch (news.type) {
      case "commands":
      case "ack":
      case "gap":
        this.#tracker.take(news);
        return;
      case "owner":
        this.#setOwner(news.address);
        return;
      case "journalGap":
        void fillJournal(this.#journal(), news);
        return;
      case "blobsMissing":
        for (const hash of news.blobs) void this.#fetchBlob(hash);
        return;
      case "warning":
        this.#options.log.warn(news.text);
        return;
      default:
        // After the commands that came with it have left for their nodes; all of these in their order.
        setImmediate(() => this.#follow(news));
        return;
    }
  }

  #follow(news: Extract<CoordinatorNews, { type: "following" | "leading" | "record" }>): void {
    const { replica } = this.#options;
    if (news.type === "following") {
      replica.reset(JSON.parse(news.graph), news.index, news.epoch);
      return;
    }
    if (news.type === "leading") {
      const { coordinator } = this.#supervisor;
      if (coordinator?.phase === "leading") this.#tracker.lead(coordinator, news.epoch);
      return;
    }
    const record = JSON.parse(news.text) as DecisionRecord;
    const changes = record.decisions.flatMap((decision) =>
      decision.firings.flatMap((firing) => firing.changes),
    );
    const delta = { index: record.index, epoch: record.epoch, revision: record.revision, changes };
    replica.apply(delta);
    replica.events.emit("entries", entriesOf(record));
    this.#tracker.follow(delta);
  }

  #ended(): void {
    // The last records of the thread may still wait for their turn; they are told before its successor begins.
    this.#tracker.rest();
    if (this.#owner === this.#options.address) this.#setOwner(null);
    clearInterval(this.#askMember);
    this.#askMember = setInterval(() => void this.#ownerOfMember(), askMemberEveryMs);
  }

  /** A node that was deposed must not wait for its next coordinator to hear of the leader: its services go on. */
  async #ownerOfMember(): Promise<void> {
    const address = await this.#options.leaderAddress();
    const isRunning = this.#supervisor.coordinator !== undefined;
    if (isRunning) clearInterval(this.#askMember);
    else if (address !== null) this.#setOwner(address);
  }

  #setOwner(address: string | null): void {
    if (address === this.#owner) return;
    this.#owner = address;
    this.#options.ownerChanged(address);
  }

  async #fetchBlob(hash: string): Promise<void> {
    const { blobs, log } = this.#options;
    try {
      await blobs.fetch(hash);
    } catch (error) {
      log.debug({ blob: hash, reason: toErrorData(error).message }, "could not fetch a rule file");
    }
  }

  #serve(): void {
    const { system, replica } = this.#options;
    system.serveBulk(bulk.replica, async function* () {
      const bytes = new TextEncoder().encode(replica.toText());
      for (let start = 0; start < bytes.length; start += textChunkBytes)
        yield bytes.subarray(start, start + textChunkBytes);
    });
    serveJournal(this.#journal());
    // In a process of its own: reading the journal must not hold events up.
    const receive = async (message: unknown): Promise<unknown> => {
      try {
        return await this.history((message as ToHistory).query);
      } catch (error) {
        return failure(toErrorData(error));
      }
    };
    system.spawn(() => ({ receive }), { name: historyName, mailboxMax: 1_000 });
  }

  #journal(): JournalFillerOptions {
    const { system, log, name, trackingNodes, links } = this.#options;
    return {
      system,
      log,
      leads: () => this.leads,
      coordinator: () => this.#supervisor.coordinator,
      sources: () => {
        if (this.leads)
          return system.nodes().filter((node) => node !== name && trackingNodes.has(node));
        return links.peer === undefined ? [] : [links.peer];
      },
    };
  }
}
