import type { Gossip } from "./core/gossip.ts";
import type { Replica } from "./core/replica.ts";
import type { AgencyAnswer, AgencyRequest } from "./core/request.ts";
import { callGossip } from "./peer-call.ts";

/** What contact with the other members needs of this one. */
export interface MemberContactPort {
  readonly id: string;
  readonly endpoint: string;
  readonly join: readonly string[];
  replica(): Replica | null;
  request(request: AgencyRequest): Promise<AgencyAnswer>;
  gossip(): Gossip;
  onRemoved(): void;
}

const lookEveryMs = 2_500;

/**
 * Keeps addresses true, and finds out whether this member was removed while it was away.
 *
 * A member that hears of no leader, or whose address is not the one that the others have, tells them where it is.
 */
export class MemberContact {
  readonly #port: MemberContactPort;
  readonly #timer: NodeJS.Timeout;

  constructor(port: MemberContactPort) {
    this.#port = port;
    this.#timer = setInterval(() => this.#look(), lookEveryMs);
  }

  /** Another member says where it is: a leader writes it down. */
  announced(id: string, address: string): void {
    const replica = this.#port.replica();
    if (replica === null || replica.raft.role !== "leader") return;
    const { members, voters } = replica.raft.configuration;
    const member = members.find((one) => one.id === id);
    if (member === undefined || member.address === address) return;
    const add = [{ id, address, voter: voters.includes(id) }];
    // Whether it is refused or not: who is not heard says it again.
    void this.#port.request({ type: "changeMembers", change: { add } });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { id, endpoint } = this.#port;
    const raft = this.#port.replica()?.raft ?? null;
    if (raft === null) return;
    const { members } = raft.configuration;
    const own = members.find((member) => member.id === id)?.address;
    if (raft.role === "leader") {
      this.announced(id, endpoint);
      return;
    }
    if (raft.leaderId === null || own !== endpoint) this.greet();
  }

  /** Tells all that this member is there, so that those who are to open links to it do so at once. */
  greet(): void {
    const { endpoint, join } = this.#port;
    const members = this.#port.replica()?.raft.configuration.members ?? [];
    const addresses = new Set([...join, ...members.map(({ address }) => address)]);
    addresses.delete(endpoint);
    for (const address of addresses) void this.#tell(address);
  }

  async #tell(address: string): Promise<void> {
    try {
      const answer = await callGossip(address, this.#port.gossip());
      if (answer.type === "refused" && answer.removed) this.#port.onRemoved();
    } catch {
      // It is away too; the next look tells it again.
    }
  }
}
