import type { DecisionRecord } from "@halon/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { going, LoopWorld, type Outcome } from "../../testdata/loop-world.ts";
import { clusterSpec, hashLike } from "../../testdata/samples.ts";
import type { LoopEffect } from "./decision-effects.ts";

const noLeader = (message: string) => ({
  type: "refused",
  error: { code: "HAL_NO_LEADER", message: expect.stringContaining(message) },
});

describe("when the outcome of an append is unknown", () => {
  test("and another's record is in its place, the loop ends, and each is told what can have become of its event", () => {
    const world = new LoopWorld();
    const first = world.go();
    world.turn();
    const second = world.go();
    world.finish("another");
    world.finish();
    expect(world.types().at(-1)).toBe("lost");
    expect(world.reply(first)).toMatchObject(noLeader("is not known"));
    expect(world.reply(second)).toMatchObject(noLeader("no effect"));
  });

  test("and it was not stored, its events are decided again, before those that came later", () => {
    const world = new LoopWorld();
    const first = world.go();
    world.turn();
    const second = world.go();
    for (const outcome of ["notStored", "committed", "committed"] as const) world.finish(outcome);
    expect(world.underWay).toMatchObject({ type: "append", index: 1 });
    world.finish();
    const { decisions } = JSON.parse(world.log[0] ?? "") as DecisionRecord;
    expect(decisions.map(({ event }) => event.id)).toEqual([`id-${first}`, `id-${second}`]);
  });

  test("nobody reads the state, or is sent commands of it, before it is known", () => {
    const world = new LoopWorld();
    world.go();
    world.turn();
    const read = world.read();
    world.take(world.core.due("resend"));
    for (const outcome of ["notStored", "committed"] as const) {
      world.finish(outcome);
      expect([world.isRead(read), world.types().includes("send")]).toEqual([false, false]);
    }
    world.finish();
    expect(world.isRead(read)).toBe(false);
    world.finish();
    expect(world.isRead(read)).toBe(true);
  });

  test("and the loop is closed meanwhile, the event's sender learns that nobody knows", () => {
    const world = new LoopWorld();
    const ref = world.go();
    world.turn();
    world.take(world.core.close());
    world.finish("notStored");
    world.finish();
    expect(world.types()).not.toContain("closed");
    world.finish();
    expect(world.reply(ref)).toMatchObject(noLeader("is not known"));
    expect(world.types().at(-1)).toBe("closed");
  });
});

test("a commit that comes after the store was lost sends and answers nothing, and lets a close end", () => {
  const world = new LoopWorld();
  const ref = world.go();
  world.turn();
  world.take(world.core.lose({ code: "HAL_NO_LEADER", message: "lost" }));
  world.take(world.core.close());
  const before = world.types();
  world.finish();
  expect(world.types()).toEqual([...before, "closed"]);
  expect(world.reply(ref)).toMatchObject(noLeader("is not known"));
});

test("commands leave first, then the record is told, then its senders are answered, then the state is read, then the next one is decided", () => {
  const world = new LoopWorld();
  world.go();
  world.turn();
  world.read();
  world.go();
  const before = world.told.length;
  world.finish();
  expect(world.types().slice(before, before + 4)).toEqual([
    "send",
    "committed",
    "reply",
    "durable",
  ]);
});

test("a record that names other rule files is told before they are brought, and nothing is decided meanwhile", () => {
  const world = new LoopWorld();
  const blob = hashLike("mine");
  const rules = [{ name: "mine", blob, rules: [], events: [], resources: {} }];
  const data = { operation: "op", spec: clusterSpec([], { rules }) } as never;
  const event = { type: "ClusterApplied", version: 1, data };
  world.take(world.core.submit({ type: "client", id: "op", event }, 99));
  world.turn();
  world.finish();
  expect(world.underWay?.type).toBe("bringRules");
  const waiting = world.go();
  expect([world.types().includes("committed"), world.isTurnDue]).toEqual([true, false]);
  const failure = { file: "mine", blob, reason: "no code" };
  world.take(world.core.rulesBrought(world.rules, [failure]));
  world.finish();
  const { decisions } = JSON.parse(world.log[1] ?? "") as DecisionRecord;
  expect(decisions.map(({ event }) => event.type).slice(0, 3)).toEqual([
    "RuleFileFailed",
    "AlertRaised",
    "Go",
  ]);
  expect(world.reply(waiting)).toMatchObject({ type: "accepted", index: 2 });
});

test("a timer that wakes the loop too early is armed again, and decided when it is due", () => {
  const world = new LoopWorld();
  world.go(100);
  world.turn();
  world.finish();
  expect(world.told.at(-1)).toEqual({ type: "arm", key: "timers", inMs: 100 });
  for (const { now, append } of [
    { now: 99.6, append: undefined },
    { now: 100, append: { type: "append", index: 2 } },
  ]) {
    world.now = now;
    world.take(world.core.due("timers"));
    world.turn();
    if (append === undefined) expect(world.underWay).toBeUndefined();
    else expect(world.underWay).toMatchObject(append);
  }
});

test("while something is due later, records mark the time, so that a successor is late by little more than the outage", () => {
  const world = new LoopWorld();
  world.go(60_000);
  const marks: number[] = [];
  for (let turns = 0; turns < 1_000 && world.now < 60_000; turns += 1) {
    world.turn();
    world.finish();
    const armed = world.told.findLast((effect) => effect.type === "arm" && effect.key === "timers");
    world.now += armed?.type === "arm" ? armed.inMs : Number.NaN;
    const { logTime, index } = world.folded();
    expect(world.now - logTime).toBeLessThanOrEqual(
      Math.max(500, Math.ceil((60_000 - logTime) / 20)),
    );
    if (index > 1) marks.push(index);
    world.take(world.core.due("timers"));
  }
  const records = world.log.map((text) => JSON.parse(text) as DecisionRecord);
  expect(records.slice(1).every(({ decisions }) => decisions.length === 0)).toBe(true);
  expect(records.length).toBeLessThan(80);
  world.turn();
  expect(world.underWay).toMatchObject({ text: expect.stringContaining("file/again") });
});

test("a loop for which nothing is due marks no time", () => {
  const world = new LoopWorld();
  world.now = 3_600_000;
  world.take(world.core.due("timers"));
  world.turn();
  expect([world.underWay, world.types().includes("arm")]).toEqual([undefined, true]);
  expect(world.told).toContainEqual({ type: "disarm", key: "timers" });
});

test("a loop that ends refuses what it holds once, and all that comes later", () => {
  const world = new LoopWorld();
  const held = world.go();
  world.take(world.core.lose({ code: "HAL_NO_LEADER", message: "lost" }));
  world.turn();
  const later = world.go();
  world.take(world.core.failed({ code: "HAL_INTERNAL", message: "late" }));
  expect([world.reply(held), world.reply(later)]).toMatchObject([
    noLeader("no effect"),
    noLeader("no effect"),
  ]);
  expect(world.types().filter((type) => type === "lost" || type === "reply")).toHaveLength(3);
});

/** Sees that what is told is durable, that each is answered once, and that nothing is told after the end. */
function judge(faults: string[]): (effect: LoopEffect, world: LoopWorld) => void {
  const answered = new Set<number>();
  let isLost = false;
  return (effect, { core, log }) => {
    const { type } = effect;
    if (isLost && type !== "reply" && type !== "closed" && type !== "disarm")
      faults.push(`${type} after the end`);
    if (type === "lost") isLost = true;
    if (type === "send") {
      const early = effect.commands.filter(({ id }) => Number(id.split(".")[0]) > log.length);
      faults.push(...early.map(({ id }) => `sent ${id} of ${log.length} records`));
    }
    if (type === "durable" && core.state.index !== log.length)
      faults.push(`read ${core.state.index} of ${log.length} records`);
    if (type === "reply") {
      if (answered.has(effect.ref)) faults.push(`answered ${effect.ref} twice`);
      answered.add(effect.ref);
    }
  };
}

test("whatever becomes of appends, and in whatever order, each event is answered once and truly, and has its effect at most once", () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant("go"), after: fc.nat(3) }) },
    { weight: 4, arbitrary: fc.constant({ type: "turn" } as const) },
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant("finish"),
        outcome: fc.constantFrom<Outcome>("committed", "committed", "replyLost", "notStored"),
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom("read", "resend", "due").map((type) => ({ type })) },
  );
  const end = fc.constantFrom("close", "lose", "another", "fenced");
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), end, (actions, how) => {
      const faults: string[] = [];
      const world = new LoopWorld(judge(faults));
      const refs: number[] = [];
      for (const step of actions) {
        world.now += 1;
        if (step.type === "go") refs.push(world.go("after" in step ? step.after : 0));
        if (step.type === "turn") world.turn();
        if (step.type === "finish") world.finish("outcome" in step ? step.outcome : "committed");
        if (step.type === "read") world.read();
        if (step.type === "resend") world.take(world.core.resend("a"));
        if (step.type === "due") world.take(world.core.due("timers"));
      }
      endWith(world, how);
      expect(faults).toEqual([]);
      const ids = idsOf(world.log);
      expect(ids.length).toBe(new Set(ids).size);
      for (const ref of refs) expectTrue(world, ref, ids);
    }),
    { numRuns: 400 },
  );
});

function endWith(world: LoopWorld, how: string): void {
  if (how === "another" || how === "fenced") {
    world.turn();
    if (world.underWay?.type === "append") world.finish(how);
  }
  if (how === "lose") world.take(world.core.lose({ code: "HAL_NO_LEADER", message: "lost" }));
  world.take(world.core.close());
  for (let left = 0; left < 4; left += 1) {
    world.turn();
    world.finish();
  }
  expect(world.types().at(-1)).toBe("closed");
}

function idsOf(log: readonly string[]): readonly string[] {
  return log.flatMap((text) =>
    ((JSON.parse(text) as Partial<DecisionRecord>).decisions ?? []).flatMap(({ origin }) =>
      origin.type === "client" ? [origin.id] : [],
    ),
  );
}

/** The reply to the event agrees with the log. */
function expectTrue(world: LoopWorld, ref: number, ids: readonly string[]): void {
  const reply = world.reply(ref);
  expect(reply).toBeDefined();
  const isThere = ids.includes(`id-${ref}`);
  if (reply?.type === "accepted")
    expect(idsOf([world.log[reply.index - 1] ?? "{}"])).toContain(`id-${ref}`);
  else if (reply?.type === "refused" && reply.error.message.includes("no effect"))
    expect(isThere).toBe(false);
  else expect(reply).toMatchObject(noLeader("is not known"));
}

test("however often its commands are asked for during an append, a node gets them once after it", () => {
  const world = new LoopWorld();
  world.go();
  world.turn();
  for (let times = 0; times < 3; times += 1) world.take(world.core.resend("a"));
  world.finish();
  expect(world.types().filter((type) => type === "send")).toHaveLength(2);
});

test("an event that was decided is answered as a duplicate, without a record", () => {
  const world = new LoopWorld();
  const ref = world.go();
  world.turn();
  world.finish();
  world.take(world.core.submit(going(`id-${ref}`), 99));
  world.turn();
  expect(world.underWay).toBeUndefined();
  expect(world.reply(99)).toEqual({ type: "duplicate", index: 1 });
});
