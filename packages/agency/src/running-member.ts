import { join } from "node:path";
import type { Hello } from "@halon/actor";
import { emptyKv } from "@halon/kv";
import { HalonError } from "@halon/protocol";
import type { Configuration, RaftOptions } from "@halon/raft";
import { defaultOptions } from "@halon/raft";
import type { WebSocket } from "ws";
import { type Gossip, type GossipAnswer, strangerRefusal } from "./core/gossip.ts";
import type { AgencyAnswer, AgencyRequest } from "./core/request.ts";
import { type Found, Search } from "./discovery.ts";
import { type Driver, startDriver, tickMs } from "./driver.ts";
import { diskRefused } from "./errors.ts";
import { clusterOf, type Identity, writeIdentity } from "./identity.ts";
import type { Log } from "./log.ts";
import type { LogFs } from "./log-fs.ts";
import type { Member, MemberOptions, MemberStatus } from "./member.ts";
import { addMember } from "./member-add.ts";
import { MemberContact } from "./member-contact.ts";
import { MemberHostLog } from "./member-host-log.ts";
import { viewOf } from "./member-view.ts";
import { openLog } from "./open-log.ts";
import { linkName, Peers } from "./peers.ts";
import { hasRoom } from "./room.ts";
import { treeChunks } from "./snapshot-state.ts";
import { statusOf } from "./status.ts";

/** Wait before a log whose disk was full is opened again. */
const reopenMs = 1_000;
/** Least growth of the log between two snapshots. */
const compactionBytesDefault = 16 * 1024 * 1024;

/** A member that runs in this process. */
export class RunningMember implements Member {
  readonly hostLog = new MemberHostLog();
  readonly #options: MemberOptions;
  readonly #fs: LogFs;
  readonly #startup: MemberStatus["startup"];
  #identity: Identity;
  #search: Search | null = null;
  #peers: Peers | null = null;
  #contact: MemberContact | null = null;
  #log: Log | null = null;
  #driver: Driver | null = null;
  #reason: string | null = null;
  readonly #refusals = new Map<string, string>();
  #isUnavailable = false;
  #reopenTimer: NodeJS.Timeout | null = null;
  #isEnding = false;
  #isClosed = false;

  constructor(
    options: MemberOptions,
    fs: LogFs,
    start: { readonly identity: Identity; readonly startup: MemberStatus["startup"] },
  ) {
    this.#options = options;
    this.#fs = fs;
    this.#identity = start.identity;
    this.#startup = start.startup;
  }

  async start(): Promise<void> {
    if (this.#identity.cluster === null) this.#discover();
    else await this.#run();
  }

  get status(): MemberStatus {
    const pool = this.#search?.pool ?? this.#identity.pool;
    const { compactionStep } = this.#options;
    const waiting = this.#reason === null ? "discovering" : "waiting";
    const role = this.#isUnavailable ? "unavailable" : waiting;
    const replica = this.#driver?.replica ?? null;
    const idle = { role, reason: this.#reason } as const;
    return statusOf(
      this.#identity,
      { startup: this.#startup, compactionStep, pool },
      replica,
      idle,
    );
  }

  get view(): Member["view"] {
    return viewOf(this.#driver?.replica ?? null);
  }

  get hello(): Omit<Hello, "class"> {
    const { id, cluster, version: incarnation } = this.#identity;
    const address = this.#options.advertise;
    return { protocol: 1, cluster, node: linkName(id), incarnation, address };
  }

  request(request: AgencyRequest): Promise<AgencyAnswer> {
    return this.#driver?.request(request) ?? Promise.resolve({ type: "noLeader" });
  }

  gossip(message: Gossip): GossipAnswer {
    if (this.#search !== null) return this.#search.answer(message);
    const own = this.#gossip();
    if (Object.hasOwn(own.pool, message.id)) {
      this.#peers?.hurry(message.id);
      this.#contact?.announced(message.id, message.endpoint);
      return { type: "gossip", gossip: own };
    }
    const { replica } = this.#driver ?? { replica: null };
    // Only a leader knows the newest configuration for certain.
    const isSure = replica !== null && replica.sequenced !== null;
    const removed = isSure && message.cluster !== null && message.cluster === own.cluster;
    return { type: "refused", message: strangerRefusal(own.pool, message), removed };
  }

  addMember(
    address: string,
    options: { readonly learner: boolean },
  ): Promise<{ readonly id: string | null; readonly answer: AgencyAnswer }> {
    const request = (one: AgencyRequest): Promise<AgencyAnswer> => this.request(one);
    return addMember({ request, gossip: () => this.#gossip() }, address, options);
  }

  snapshot(): AsyncIterable<string> {
    return treeChunks(this.#driver?.replica.committed ?? emptyKv);
  }

  async accept(ws: WebSocket): Promise<void> {
    if (this.#peers === null) {
      ws.close(4001, "this member is of no agency yet");
      return;
    }
    await this.#peers.accept(ws);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#handOver();
    await this.stop();
  }

  /** Ends at once, with leadership in hand. */
  async stop(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#search?.close();
    this.#contact?.close();
    if (this.#reopenTimer !== null) clearTimeout(this.#reopenTimer);
    this.#driver?.end();
    this.hostLog.detach();
    this.#peers?.close("this member ends");
    await this.#driver?.idle();
    await this.#log?.close();
  }

  /** A leader that ends lets the member that has most take over, so that nobody has to notice its end. */
  async #handOver(): Promise<void> {
    const { raft } = this.#driver?.replica ?? { raft: null };
    if (raft?.role !== "leader") return;
    const [to] = [...raft.progress]
      .filter(([id, { ackTick }]) => {
        const isThere = raft.now - ackTick <= raft.options.electionTicksMin;
        return isThere && id !== raft.id && raft.configuration.voters.includes(id);
      })
      .sort(([, a], [, b]) => b.matchIndex - a.matchIndex);
    if (to !== undefined) await this.request({ type: "transferLeader", to: to[0] });
  }

  #gossip(): Gossip {
    const { id, cluster, size, pool } = this.#identity;
    const members = this.#driver?.replica.raft.configuration.members ?? [];
    const known = Object.fromEntries(members.map((member) => [member.id, member.address]));
    const endpoint = this.#options.advertise;
    return { id, endpoint, size, pool: members.length > 0 ? known : pool, cluster };
  }

  #keepIdentity(change: Partial<Identity>): void {
    const { version } = this.#identity;
    const next = { ...this.#identity, ...change, version: version + 1 };
    writeIdentity(this.#options.dataDir, next);
    this.#identity = next;
  }

  #tryToKeepPool(pool: Readonly<Record<string, string>>): boolean {
    try {
      this.#keepIdentity({ pool: { ...pool } });
      return true;
    } catch (error) {
      this.#options.log(diskRefused(this.#options.dataDir, error).message);
      return false;
    }
  }

  #discover(): void {
    const { advertise, join: addresses } = this.#options;
    const { id, size, pool, join: before } = this.#identity;
    this.#search = new Search({
      id,
      endpoint: advertise,
      size,
      pool,
      join: [...new Set([...addresses, ...before])],
      onPool: (known) => this.#tryToKeepPool(known),
      onReason: (reason) => this.#say(reason),
      onFound: (found) => void this.#found(found),
    });
  }

  #say(reason: string | null): void {
    if (reason !== null && reason !== this.#reason) this.#options.log(reason);
    this.#reason = reason;
  }

  async #found(found: Found): Promise<void> {
    const pool = { ...found.pool };
    const cluster = found.type === "complete" ? clusterOf(pool) : found.cluster;
    // Whoever was added later learns the configuration from the log alone.
    const founders = clusterOf(pool) === cluster ? pool : {};
    try {
      this.#keepIdentity({ pool, cluster, founders });
      this.#search = null;
      this.#say(null);
      await this.#run();
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error), 1);
    }
  }

  async #run(): Promise<void> {
    const { id } = this.#identity;
    this.#peers = new Peers({
      id,
      hello: this.hello,
      members: membersOf(this.#identity.pool),
      onMessage: (from, bytes) => this.#driver?.receive(from, bytes),
      onLost: (peer) => this.#driver?.lost(peer),
      onRefused: (peer, reason) => this.#refused(peer, reason),
    });
    this.#contact = new MemberContact({
      id,
      endpoint: this.#options.advertise,
      join: this.#options.join,
      replica: () => this.#driver?.replica ?? null,
      request: (request) => this.request(request),
      gossip: () => this.#gossip(),
      onRemoved: () => this.#removed(),
    });
    await this.#open(this.#peers);
    this.#contact.greet();
  }

  async #open(peers: Peers): Promise<void> {
    const { dataDir, compactionStep, compactionKeep, compactionBytes } = this.#options;
    const { id, cluster, founders, size: agencySize } = this.#identity;
    const where = join(dataDir, "agency");
    const log = await openLog({ dir: where, fs: this.#fs });
    this.#log = log;
    if (log.cut !== undefined) {
      this.#options.log(`A torn write of ${log.cut.bytes} bytes at the end of the log was cut.`);
    }
    const driver = await startDriver(log, {
      id,
      cluster: cluster ?? "",
      raft: raftOptionsOf(this.#options),
      agencySize,
      compactionStep,
      compactionKeep,
      compactionBytesMin: compactionBytes ?? compactionBytesDefault,
      founders: configurationOf(founders),
      peers,
      where,
      onConfiguration: ({ members }) => this.#configured(peers, members),
      onStep: () => this.hostLog.see(),
      onRemoved: () => this.#removed(),
      onDiskError: (error) => this.#diskFailed(error),
    });
    if (this.#isClosed) {
      driver.end();
      return;
    }
    this.#driver = driver;
    this.hostLog.attach({ driver, log });
  }

  /** Once, though it is tried again every second. */
  #refused(peer: string, reason: string): void {
    if (this.#refusals.get(peer) === reason) return;
    this.#refusals.set(peer, reason);
    this.#options.log(`${peer}: ${reason}`);
  }

  #configured(peers: Peers, members: Configuration["members"]): void {
    if (members.length === 0) return;
    const pool = Object.fromEntries(members.map(({ id, address }) => [id, address]));
    // Where the log cannot be written either, the next start finds the configuration in the log.
    if (JSON.stringify(pool) !== JSON.stringify(this.#identity.pool)) this.#tryToKeepPool(pool);
    peers.update(membersOf(pool));
  }

  /** Full is not broken: what the log holds is known, and there may be room again. A bad snapshot is sent again. */
  #diskFailed(error: HalonError): void {
    this.#driver = null;
    this.hostLog.detach();
    if (!isFull(error) && error.code !== "HAL_STORE_DAMAGED") {
      this.#end(error.message, 1);
      return;
    }
    this.#isUnavailable = true;
    this.#say(error.message);
    this.#reopenLater();
  }

  #reopenLater(): void {
    if (!this.#isClosed) this.#reopenTimer = setTimeout(() => void this.#reopen(), reopenMs);
  }

  async #reopen(): Promise<void> {
    await this.#log?.close().catch(() => undefined);
    this.#log = null;
    try {
      if (this.#isClosed || this.#peers === null) return;
      if (!(await hasRoom(this.#fs, join(this.#options.dataDir, "agency")))) {
        this.#reopenLater();
        return;
      }
      await this.#open(this.#peers);
      this.#isUnavailable = false;
      this.#say(null);
      this.#options.log("There is room again; this member goes on.");
    } catch (error) {
      if (isFull(error)) this.#reopenLater();
      else this.#end(error instanceof Error ? error.message : String(error), 1);
    }
  }

  #removed(): void {
    this.#end("This member was removed from the agency.", 4);
  }

  #end(reason: string, exitCode: number): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#reason = reason;
    // After what is being sent now.
    setImmediate(() => {
      void this.stop().then(() => this.#options.onEnd(reason, exitCode));
    });
  }
}

const emptyConfiguration: Configuration = { members: [], voters: [], outgoing: [], learners: [] };

function configurationOf(pool: Readonly<Record<string, string>>): Configuration {
  const voters = Object.keys(pool).sort();
  const members = voters.map((id) => ({ id, address: pool[id] ?? "" }));
  return { ...emptyConfiguration, members, voters };
}

function membersOf(pool: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(pool));
}

function raftOptionsOf({ electionMinMs, electionMaxMs }: MemberOptions): RaftOptions {
  const electionTicksMin = Math.max(2, Math.round(electionMinMs / tickMs));
  const electionTicksMax = Math.max(electionTicksMin + 1, Math.round(electionMaxMs / tickMs));
  const heartbeatTicks = Math.max(1, Math.floor(electionTicksMin / 4));
  return { ...defaultOptions, heartbeatTicks, electionTicksMin, electionTicksMax };
}

function isFull(error: unknown): boolean {
  if (!(error instanceof HalonError) || error.code !== "HAL_STORE_FAILED") return false;
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? cause.code : null;
  return code === "ENOSPC" || code === "EDQUOT";
}
