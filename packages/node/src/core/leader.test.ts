import { createGraph, type Graph } from "@halon/graph";
import { beforeEach, expect, test } from "vitest";
import type { HeardBeat } from "./failure-detector.ts";
import { LeaderCore } from "./leader.ts";
import type { LeaderEffect } from "./leader-effects.ts";

const attach = { type: "attach", node: "node-9", incarnation: 1 } as const;

let graph: Graph;
let linked: string[];
let observers: Map<string, readonly string[]>;
let beats: Map<string, HeardBeat>;
let leader: LeaderCore;

beforeEach(() => {
  graph = createGraph();
  put("node-9", "up");
  linked = ["node-9"];
  observers = new Map();
  beats = new Map();
  leader = new LeaderCore(
    { name: "node-1", clusterId: "c1", trackingNodes: new Set(["node-1"]) },
    {
      view: () => graph,
      index: () => 12,
      linked: () => linked,
      lastBeat: (node) => beats.get(node),
      observers: () => observers,
      owner: () => null,
      lostLeader: () => undefined,
    },
  );
});

function put(node: string, state: "up" | "down"): void {
  graph.transact((update) => {
    update.put("Node", node, {
      address: "127.0.0.1:1",
      role: "satellite",
      state,
      incarnation: 1,
      labels: {},
      version: "0.1.0",
      since: 0,
    });
  });
}

/** What agents are told, each as `node message`. */
const told = (effects: readonly LeaderEffect[]): readonly string[] =>
  effects.flatMap((effect) =>
    effect.type === "tell" ? [`${effect.node} ${effect.message.type}`] : [],
  );

/** Ticks up to then; everything that they led to. */
function pass(from: number, to: number): readonly LeaderEffect[] {
  const effects: LeaderEffect[] = [];
  for (let now = from + 50; now <= to; now += 50) effects.push(...leader.tick(0, now));
  return effects;
}

test("a node is taken in by the leadership that it asked: the next one refuses what it finds asked", () => {
  leader.lead(3, 0);
  expect(leader.attach(1, attach)).toMatchObject([{ type: "watermark", source: "node/node-9" }]);
  leader.rest();
  leader.lead(5, 100);
  expect(leader.watermark(1, 7, 200)).toMatchObject([
    { type: "refuse", ref: 1, refusal: { code: "HAL_NO_LEADER" } },
  ]);
  expect(told(leader.tellHeard())).toEqual([]);
  leader.attach(2, attach);
  expect(leader.watermark(2, 7, 300)).toEqual([
    { type: "resend", node: "node-9" },
    {
      type: "answer",
      ref: 2,
      answer: { clusterId: "c1", leader: "node-1", epoch: 5, index: 12, sequence: 7 },
    },
  ]);
  expect(told(leader.tellHeard())).toEqual(["node-9 heard"]);
});

test("a node whose link ended while the coordinator was asked is not taken in: nobody would see that it is gone", () => {
  leader.lead(3, 0);
  leader.attach(1, attach);
  linked = [];
  leader.linkDown("node-9", "the other side has gone", 10);
  expect(leader.watermark(1, 0, 20)).toMatchObject([
    { type: "refuse", ref: 1, refusal: { code: "HAL_UNREACHABLE" } },
  ]);
  expect(told(leader.tellHeard())).toEqual([]);
  expect(pass(20, 6_000).filter(({ type }) => type === "observe")).toMatchObject([
    { observation: { type: "NodeLost", node: "node-9" } },
  ]);
});

test("commands go to the start of a node that has attached, and to no other", () => {
  const check = { type: "CheckService", service: "web", instance: "web@node-9#1" } as const;
  const word = {
    type: "commands",
    commands: [{ id: "5.1", epoch: 3, node: "node-9", deadline: 60_000, action: check }],
  } as const;
  leader.lead(3, 0);
  expect(leader.word(word)).toEqual([]);
  leader.attach(1, { ...attach, incarnation: 4 });
  leader.watermark(1, 0, 10);
  expect(leader.word(word)).toMatchObject([
    { type: "tell", node: "node-9", message: { type: "commands", incarnation: 4 } },
  ]);
});

test("one answer is given to each question, however often the coordinator answers", () => {
  leader.lead(3, 0);
  leader.attach(1, attach);
  const late = { code: "HAL_TIMEOUT", message: "too late" } as const;
  expect(leader.noWatermark(1, late)).toHaveLength(1);
  expect([leader.noWatermark(1, late), leader.watermark(1, 7, 10)]).toEqual([[], []]);
});

test("a word that an earlier leadership asked for is none for this one", () => {
  const lostWithin = (isLate: boolean): number => {
    observers.set("node-9", ["node-3"]);
    put("node-3", "up");
    linked = ["node-9", "node-3"];
    leader.lead(3, 0);
    leader.attach(1, { ...attach, node: "node-3" });
    leader.watermark(1, 0, 0);
    const asked = leader.tick(0, 50).find((effect) => effect.type === "askOpinions");
    if (asked === undefined) throw new Error("nobody was asked");
    if (isLate) {
      leader.lead(4, 60);
      leader.attach(2, { ...attach, node: "node-3" });
      leader.watermark(2, 0, 60);
      leader.tick(0, 65);
    }
    leader.opinion({ ref: asked.ref, about: "node-9", from: "node-3", ageMs: 1_500 }, 70);
    return leader.tick(0, 80).filter((effect) => effect.type === "observe").length;
  };
  expect([lostWithin(false), lostWithin(true)]).toEqual([1, 0]);
});

test("a lost node is told to attach again, and one that left without a record is waited for", () => {
  leader.lead(3, 0);
  leader.attach(1, attach);
  leader.watermark(1, 0, 0);
  const left = { type: "NodeLeft", version: 1, data: { node: "node-9", incarnation: 1 } };
  leader.events("node-9", 1, [{ sequence: 1, event: left }]);
  expect(told(leader.tellHeard())).toEqual([]);
  // Not at the first look: what was said of it may be on its way into the graph.
  expect(told(pass(0, 1_900))).toEqual([]);
  expect(told(pass(1_900, 2_100))).toEqual(["node-9 detached"]);
  const effects = pass(2_100, 6_500);
  expect(effects.filter((effect) => effect.type === "observe")).toMatchObject([
    { observation: { type: "NodeLost", node: "node-9" } },
  ]);
  expect(told(effects)).toEqual(["node-9 detached"]);
});

test("what agents say reaches no coordinator while none leads here", () => {
  const renew = { type: "renew", node: "node-9", asked: [] } as const;
  expect(leader.events("node-9", 1, [])).toEqual([]);
  expect(leader.attach(1, attach)).toMatchObject([{ type: "refuse" }]);
  expect(leader.renew(2, renew)).toMatchObject([{ type: "refuse" }]);
  leader.lead(3, 0);
  const wrong = { ...renew, asked: [{ instance: "cron@node-9#1", token: 1.5 }] };
  expect(leader.renew(3, wrong)).toMatchObject([
    { type: "refuse", refusal: { code: "HAL_BAD_REQUEST" } },
  ]);
  expect(leader.renew(4, renew)).toMatchObject([{ type: "renew", node: "node-9" }]);
});
