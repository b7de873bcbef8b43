import {
  acceptLink,
  type Hello,
  keepLink,
  type Link,
  type LinkKeeper,
  linkPath,
} from "@halon/actor";
import type { MemberId } from "@halon/raft";
import type { WebSocket } from "ws";

/** Messages, or chunks of snapshots. */
export type PeerClass = "raft" | "raft-bulk";

/** What the links of a member need of it. */
export interface PeersPort {
  readonly id: MemberId;
  readonly hello: Omit<Hello, "class">;
  /** Ids and addresses of those whom it speaks with, at first. */
  readonly members: ReadonlyMap<MemberId, string>;
  onMessage(from: MemberId, bytes: Uint8Array): void;
  /** Its `raft` connection was closed. */
  onLost(id: MemberId): void;
  onRefused(id: MemberId, reason: string): void;
}

interface Peer {
  readonly keepers: readonly LinkKeeper[];
  readonly links: Map<PeerClass, Link>;
}

const classes: readonly PeerClass[] = ["raft", "raft-bulk"];

/** The name of a member in a hello, where names are in lower case. */
export function linkName(id: MemberId): string {
  return id.toLowerCase();
}

/** Links to all other members, two each; the member with the smaller id opens them. */
export class Peers {
  readonly #port: PeersPort;
  readonly #peers = new Map<MemberId, Peer>();
  #members: ReadonlyMap<MemberId, string> = new Map();
  #closed = false;

  constructor(port: PeersPort) {
    this.#port = port;
    this.update(port.members);
  }

  /** Opens and closes links as members come and go. */
  update(members: ReadonlyMap<MemberId, string>): void {
    if (this.#closed) return;
    const { id } = this.#port;
    this.#members = members;
    for (const [peerId, peer] of this.#peers) if (!members.has(peerId)) this.#drop(peerId, peer);
    for (const peerId of members.keys()) {
      if (peerId === id || this.#peers.has(peerId)) continue;
      const peer: Peer = { keepers: id < peerId ? this.#keep(peerId) : [], links: new Map() };
      this.#peers.set(peerId, peer);
    }
  }

  /** False when there is no link; the message is lost then, which consensus is made for. */
  send(to: MemberId, linkClass: PeerClass, bytes: Uint8Array): boolean {
    const link = this.#peers.get(to)?.links.get(linkClass);
    if (link === undefined || link.downReason !== null) return false;
    link.sendBytes(bytes);
    return true;
  }

  /** Sends what was given in this turn. */
  flush(): void {
    for (const { links } of this.#peers.values()) links.get("raft")?.flush();
  }

  /** A member says that it is there. */
  hurry(id: MemberId): void {
    for (const keeper of this.#peers.get(id)?.keepers ?? []) keeper.hurry();
  }

  /** Takes a connection that another member opened. Errors: HAL_LINK_REFUSED, HAL_TIMEOUT, HAL_UNREACHABLE. */
  async accept(ws: WebSocket): Promise<void> {
    const check = (peer: Hello): string | null => this.#whyNot(peer);
    const link = await acceptLink(ws, { hello: this.#port.hello, classes, check });
    const id = this.#idOf(link.peer);
    if (id === undefined || this.#closed) link.close("this member has ended");
    else this.#take(id, link);
  }

  close(reason: string): void {
    this.#closed = true;
    for (const [id, peer] of this.#peers) this.#drop(id, peer, reason);
  }

  #keep(peerId: MemberId): readonly LinkKeeper[] {
    return classes.map((linkClass) => {
      const keeper = keepLink(() => ({
        // A node that has links of its own at this path hands it to its member.
        url: `ws://${this.#members.get(peerId) ?? ""}${linkPath}?for=agency`,
        hello: { ...this.#port.hello, class: linkClass },
        check: (peer) =>
          peer.node === linkName(peerId) ? this.#whyNot(peer) : this.#other(peerId, peer),
      }));
      keeper.events.on("up", (link) => this.#take(peerId, link));
      keeper.events.on("refused", (reason) => {
        if (linkClass === "raft") this.#port.onRefused(peerId, reason);
      });
      return keeper;
    });
  }

  #other(expected: MemberId, peer: Hello): string {
    return `${expected} is expected at this address, and ${peer.node} answers`;
  }

  #whyNot(peer: Hello): string | null {
    const { cluster } = this.#port.hello;
    if (cluster === null) return "this member is of no agency yet";
    if (peer.cluster === null) return `${peer.node} is of no agency yet`;
    return this.#idOf(peer) === undefined ? `${peer.node} is not a member of this agency` : null;
  }

  #idOf(peer: Hello): MemberId | undefined {
    for (const id of this.#members.keys()) if (linkName(id) === peer.node) return id;
    return undefined;
  }

  #take(id: MemberId, link: Link): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || (link.class !== "raft" && link.class !== "raft-bulk")) {
      link.close("not a member");
      return;
    }
    const linkClass = link.class;
    // A peer that started again is back before the end of its old connection is noticed.
    peer.links.get(linkClass)?.close("another connection took its place");
    peer.links.set(linkClass, link);
    link.events.once("down", () => {
      if (peer.links.get(linkClass) !== link) return;
      peer.links.delete(linkClass);
      if (linkClass === "raft" && !this.#closed) this.#port.onLost(id);
    });
    link.receiveBytes((bytes) => this.#port.onMessage(id, bytes));
  }

  #drop(id: MemberId, peer: Peer, reason = "not a member any more"): void {
    this.#peers.delete(id);
    for (const keeper of peer.keepers) keeper.close(reason);
    for (const link of peer.links.values()) link.close(reason);
  }
}
