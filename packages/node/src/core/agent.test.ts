import { type Command, RestartPolicy, type ServiceManifest } from "@halon/protocol";
import { beforeEach, expect, test } from "vitest";
import { AgentCore } from "./agent.ts";
import type { AgentEffect } from "./agent-effects.ts";

const manifest: ServiceManifest = {
  name: "cron",
  serviceName: "cron",
  version: "1.0.0",
  kind: "node-process",
  blob: "a".repeat(64),
  files: [],
  thread: "own",
  requires: [],
  configurationSchema: {},
  schemaHash: "b".repeat(64),
  resources: {},
  restart: RestartPolicy.parse({}),
  startTimeoutMs: 5_000,
  stopTimeoutMs: 5_000,
  checkEveryMs: 1_000,
  checkTimeoutMs: 1_000,
  livenessFailures: 3,
  memoryMb: 64,
};

const about = { service: "cron", instance: "cron@node-1#1" };
const start = { type: "StartService", ...about, manifest, config: {}, configHash: "c" } as const;
const exclusive = { ...start, lease: { token: 1, leaseMs: 2_000 } };
const stop = { type: "StopService", ...about, reason: "asked" } as const;

let blobs: Set<string>;
let agent: AgentCore;

beforeEach(() => {
  blobs = new Set();
  agent = new AgentCore(
    { name: "node-1", incarnation: 5 },
    {
      describe: () => ({ node: "node-1" }),
      inventory: () => ({ instances: [], parts: [] }),
      hasBlob: (hash) => blobs.has(hash),
    },
  );
});

/** The one effect of that type. */
function only<T extends AgentEffect["type"]>(
  type: T,
  effects: readonly AgentEffect[],
): Extract<AgentEffect, { type: T }> {
  const found = effects.filter((effect) => effect.type === type);
  expect(found).toHaveLength(1);
  return found[0] as Extract<AgentEffect, { type: T }>;
}

/** What is sent, each as `number type`. */
function sent(effects: readonly AgentEffect[]): readonly string[] {
  return effects.flatMap((effect) =>
    effect.type === "send"
      ? effect.events.map(({ sequence, event }) => `${sequence} ${event.type}`)
      : [],
  );
}

const types = (effects: readonly AgentEffect[]): readonly string[] =>
  effects.map(({ type }) => type);

const answer = (epoch: number, sequence = 0) => {
  return { clusterId: "c1", leader: "node-2", epoch, index: 1, sequence };
};

const happened = (type: string) => ({ type, version: 1, data: {} });

function attachedAt(now: number): void {
  const { ref } = only("attach", agent.connected("node-2"));
  agent.attached(ref, answer(1), now);
}

function command(
  id: string,
  action: Command["action"],
  incarnation?: number,
): readonly AgentEffect[] {
  return agent.command({ id, epoch: 1, node: "node-1", deadline: 60_000, action }, incarnation, 0);
}

test("what happened before comes first, under the numbers it had, then who this is and what runs", () => {
  attachedAt(0);
  agent.emit(happened("ServiceFailed"), 1);
  agent.disconnected();
  agent.emit(happened("ServiceStarted"), 2);
  const { ref } = only("attach", agent.connected("node-3"));
  expect(sent(agent.attached(ref, answer(2, 2), 3))).toEqual([
    "3 ServiceFailed",
    "4 ServiceStarted",
    "5 NodeJoined",
    "6 NodeInventory",
  ]);
});

test("a command for an earlier start of the node is not begun: that one may have answered it", () => {
  attachedAt(0);
  expect(command("1.0", stop, 4)).toEqual([]);
  expect(types(command("1.0", stop, 5))).toEqual(["perform"]);
});

test("an answer of a leader that was left meanwhile takes nobody in: the node asks the next one", () => {
  const { ref } = only("attach", agent.connected("node-2"));
  // One question at a time.
  expect(agent.connected("node-3")).toEqual([]);
  expect(types(agent.attached(ref, answer(1), 0))).toEqual(["arm"]);
  expect(agent.leader).toBeUndefined();
  const again = only("attach", agent.due("attach", 100));
  expect(again.leader).toBe("node-3");
  expect(agent.attached(ref, answer(1), 200)).toEqual([]);
  expect(types(agent.attached(again.ref, answer(2), 200))).toContain("follow");
  expect(agent.leader).toBe("node-3");
});

test("a deposed coordinator takes nobody in any more", () => {
  const first = only("attach", agent.connected("node-2"));
  agent.attached(first.ref, answer(7), 0);
  const second = only("attach", agent.connected("node-3"));
  expect(types(agent.attached(second.ref, answer(6), 1))).toEqual(["arm"]);
  expect(agent.leader).toBeUndefined();
});

test("who does not lead says so, and the node looks for another; it asks again all the same", () => {
  const { ref } = only("attach", agent.connected("node-2"));
  const refused = agent.notAttached(ref, { code: "HAL_NO_LEADER", message: "not me" });
  expect(types(refused)).toEqual(["refused", "arm"]);
  expect(types(agent.disconnected())).toEqual(["disarm"]);
});

test("what is not acknowledged is sent again after 2 s, and no more when it is", () => {
  attachedAt(0);
  expect(agent.tick(1_999)).toEqual([]);
  expect(sent(agent.tick(2_000))).toEqual(["1 NodeJoined", "2 NodeInventory"]);
  expect(agent.tick(3_000)).toEqual([]);
  expect(types(agent.acknowledged(2))).toEqual(["flushed"]);
  expect(agent.tick(9_000)).toEqual([]);
});

test("events that could not be sent go with the next attach, and nothing is sent before", () => {
  attachedAt(0);
  agent.acknowledged(2);
  expect(sent(agent.emit(happened("ServiceFailed"), 1))).toEqual(["3 ServiceFailed"]);
  const { ref } = only("attach", agent.unsent());
  expect(agent.emit(happened("ServiceStarted"), 2)).toEqual([]);
  expect(sent(agent.attached(ref, answer(1, 2), 3)).slice(0, 2)).toEqual([
    "3 ServiceFailed",
    "4 ServiceStarted",
  ]);
});

test("a start waits for its files, then for its lease", () => {
  const { ref } = only("fetch", command("1.1", exclusive));
  expect(agent.fetched(ref)).toEqual([
    {
      type: "acquire",
      ref,
      lease: { instance: about.instance, token: 1, leaseMs: 2_000 },
      timeoutMs: 5_000,
    },
  ]);
  expect(agent.granted(ref)).toEqual([{ type: "perform", action: exclusive, command: "1.1" }]);
  expect(agent.granted(ref)).toEqual([]);
});

test("a start that is stopped while it waits never begins, whatever comes late", () => {
  const { ref } = only("fetch", command("1.1", exclusive));
  agent.fetched(ref);
  expect(types(command("1.2", stop))).toEqual(["giveUp"]);
  const late = { code: "HAL_CONFLICT", message: "given up" } as const;
  expect([agent.granted(ref), agent.notGranted(ref, late, 0), agent.fetched(ref)]).toEqual([
    [],
    [],
    [],
  ]);
  attachedAt(0);
  // Stopped once, and not told as one that could not start.
  expect(sent(agent.gap(1, 1))).toEqual(["1 ServiceStopped", "2 NodeJoined", "3 NodeInventory"]);
});

test("a start that waits is in the inventory, and its end is told to each command that asked for it", () => {
  const { ref } = only("fetch", command("1.1", start));
  expect(command("1.2", start)).toEqual([]);
  const attach = only("attach", agent.connected("node-2"));
  const { events } = only("send", agent.attached(attach.ref, answer(1), 0));
  expect(events.at(-1)?.event.data).toMatchObject({
    lastCommand: "1.2",
    instances: [{ instance: about.instance, state: "starting" }],
  });
  const failed = agent
    .notFetched(ref, "no disk", 1)
    .flatMap((effect) => (effect.type === "send" ? effect.events : []))
    .map(({ event }) => event);
  expect(failed).toMatchObject([
    { type: "ServiceCouldNotStart", data: { command: "1.1", code: "HAL_BLOB_MISSING" } },
    { type: "ServiceCouldNotStart", data: { command: "1.2", code: "HAL_BLOB_MISSING" } },
  ]);
});

test("what is here already begins at once, and what cannot begin is refused", () => {
  blobs.add(manifest.blob);
  attachedAt(0);
  expect(types(command("1.1", start))).toEqual(["perform"]);
  const refused = agent.notBegun("1.1", { code: "HAL_TOO_MANY", message: "too many" }, 1);
  expect(types(refused)).toEqual(["commandRefused", "send"]);
  expect(sent(refused)).toEqual(["3 CommandRefused"]);
});
