import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Batch,
  emptyKv,
  inquire,
  type KvState,
  type Outcome,
  readTransactions,
  snapshotChunks,
} from "@halon/kv";
import type { Gossip, GossipAnswer } from "../core/gossip.ts";
import type { AgencyAnswer, AgencyRequest } from "../core/request.ts";
import type { Member, MemberStatus } from "../member.ts";
import { MemberHostLog } from "../member-host-log.ts";
import { type AgencyHandler, agencyHandler } from "./handler.ts";

export const ids = {
  self: "AGNT-00000000-0000-4000-8000-000000000001",
  peer: "AGNT-00000000-0000-4000-8000-000000000002",
};

const settings = {
  advertise: "127.0.0.1:8531",
  agencySize: 3,
  electionMinMs: 300,
  electionMaxMs: 600,
  compactionStep: 1_000,
  compactionKeep: 50_000,
  version: "0.1.0",
} as const;

/** A leader of one without a log: every write is committed at once. */
export function memoryMember(overrides: Partial<MemberStatus> = {}) {
  let kv: KvState = emptyKv;
  const asked: AgencyRequest[] = [];
  const forced: { answer: AgencyAnswer | undefined; gossip: GossipAnswer | undefined } = {
    answer: undefined,
    gossip: undefined,
  };
  const status: MemberStatus = {
    id: ids.self,
    role: "leader",
    reason: null,
    term: 3,
    leaderId: ids.self,
    commitIndex: 7,
    lastCompactionAt: 0,
    nextCompactionAfter: 1_000,
    lastAcked: new Map([
      [ids.self, { ackedMs: 12.3456, index: 7, appendMs: null }],
      [ids.peer, { ackedMs: 12.3456, index: 6, appendMs: 80 }],
    ]),
    configuration: {
      members: [
        { id: ids.self, address: "127.0.0.1:8531" },
        { id: ids.peer, address: "127.0.0.1:8541" },
      ],
      voters: [ids.self, ids.peer],
      outgoing: [],
      learners: [],
    },
    pool: new Map(),
    cluster: "c1",
    startup: "origin",
    timeoutMult: 1,
    version: 4,
    ...overrides,
  };
  const request = async (asking: AgencyRequest): Promise<AgencyAnswer> => {
    asked.push(asking);
    if (forced.answer !== undefined) return forced.answer;
    const [answer, next] = answerOf(kv, asking);
    kv = next;
    return answer;
  };
  const member: Member = {
    hostLog: new MemberHostLog(),
    status,
    request,
    gossip: (message: Gossip) => forced.gossip ?? { type: "gossip", gossip: message },
    addMember: async () => ({ id: ids.peer, answer: forced.answer ?? { type: "done" } }),
    view: {
      get committed() {
        return kv;
      },
      sequenced: null,
      transient: emptyKv,
      logTime: 0,
      log: () => [
        { index: 1, term: 3, operations: '{"/a":1}', clientId: "c", wallTime: 1_700_000_000_000 },
      ],
      at: () => kv,
    },
    snapshot: async function* () {
      yield* snapshotChunks(kv);
    },
    hello: { protocol: 1, cluster: null, node: "a", incarnation: 1, address: "127.0.0.1:8531" },
    accept: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { member, asked, forced };
}

function answerOf(kv: KvState, request: AgencyRequest): readonly [AgencyAnswer, KvState] {
  const batch = new Batch(kv, { logTime: 0, wallTime: 0 });
  switch (request.type) {
    case "write": {
      const outcomes = request.transactions.map((one) => batch.add(one));
      const results = outcomes.map((one) => (one.type === "applied" ? one.index : 0));
      return [{ type: "written", status: statusOf(outcomes), results }, batch.state];
    }
    case "read": {
      const text = readTransactions(kv, request.transactions, 0) ?? "null";
      return [{ type: "json", status: 200, text }, kv];
    }
    case "transact": {
      const { status, text } = batch.transact(request.items);
      return [{ type: "json", status, text }, batch.state];
    }
    case "inquire": {
      const results = inquire(kv, request.ids);
      const text = JSON.stringify({ results, inquired: true });
      return [{ type: "json", status: results.includes(0) ? 404 : 200, text }, kv];
    }
    case "poll":
      return [{ type: "json", status: 200, text: '{"result":{"log":[]}}' }, kv];
    case "transient":
    case "changeMembers":
    case "transferLeader":
      return [{ type: "done" }, kv];
  }
}

function statusOf(outcomes: readonly Outcome[]): 200 | 403 | 412 {
  if (outcomes.some(({ type }) => type === "forbidden")) return 403;
  return outcomes.some(({ type }) => type === "failed") ? 412 : 200;
}

/** A server with the routes of a member, or with any handler. */
export async function serve(member: Member | AgencyHandler) {
  const faults: unknown[] = [];
  const onFault = (error: unknown) => void faults.push(error);
  const handle =
    typeof member === "function" ? member : agencyHandler(member, { ...settings, onFault });
  const server = createServer((request, response) => {
    if (!handle(request, response)) response.writeHead(599).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    return closed;
  };
  return { url: `http://127.0.0.1:${port}`, port, faults, close };
}
