import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type ActorSystem, createSystem } from "@halon/actor";
import type { CoordinatorHost } from "@halon/coordinator";
import { EventEmitter } from "eventemitter3";
import { pino } from "pino";
import type { Arrival } from "./beat/arrival.ts";
import type { HeardBeats } from "./beat/node-beats.ts";
import { acceptLinks, LeaderLinks, type OwnHello } from "./links.ts";

/** A node as far as links go: a system of processes behind a real listener on loopback. */
export interface LinkedNode {
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  readonly system: ActorSystem;
  readonly links: LeaderLinks;
  /** Names of the peers that the links were up to, and null for each time they were down. */
  readonly seen: (string | null)[];
  /** What `GET /id` names. */
  leaderEndpoint: string | null;
  close(): Promise<void>;
}

const deadlineMs = 20_000;

export const silent = pino({ level: "silent" });

export async function linkedNode(name: string): Promise<LinkedNode> {
  const system = createSystem({ node: name, incarnation: 1 });
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ leaderEndpoint: node.leaderEndpoint }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hello = (): OwnHello => ({
    protocol: 1,
    cluster: "c1",
    node: name,
    incarnation: 1,
    address,
  });
  server.on("upgrade", acceptLinks({ system, log: silent, hello, check: () => null }));
  const seen: (string | null)[] = [];
  const links = new LeaderLinks({
    system,
    log: silent,
    hello,
    up: (peer) => seen.push(peer.node),
    down: () => seen.push(null),
  });
  const node: LinkedNode = {
    name,
    address,
    system,
    links,
    seen,
    leaderEndpoint: null,
    async close() {
      links.close();
      await system.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return node;
}

/** A standby that does what the parts say, and nothing else. */
export function coordinatorHost(parts: Partial<CoordinatorHost>): CoordinatorHost {
  const unused = (): never => {
    throw new Error("nobody was expected to ask this");
  };
  return {
    phase: "standby",
    epoch: 0,
    index: 0,
    clusterId: null,
    graph: "",
    events: unused,
    submit: unused,
    observe: unused,
    renew: unused,
    resend: unused,
    watermark: unused,
    history: unused,
    journalRecords: unused,
    deadLetters: unused,
    plan: unused,
    fillJournal: unused,
    leaveJournalGap: unused,
    ended: new Promise(() => undefined),
    stop: async () => undefined,
    ...parts,
  };
}

/** Beats as a test says that they came in. */
export interface FakeBeats extends HeardBeats {
  readonly observers: Map<string, readonly string[]>;
  hear(arrival: Arrival): void;
}

export function heardBeats(): FakeBeats {
  const events: FakeBeats["events"] = new EventEmitter();
  const last = new Map<string, Arrival>();
  return {
    events,
    observers: new Map(),
    last: (node) => last.get(node),
    lateMs: () => 0,
    hear(arrival) {
      last.set(arrival.node, arrival);
      events.emit("heard", [arrival]);
    },
  };
}

/** Waits until it is true; fails after 20 s. */
export async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
