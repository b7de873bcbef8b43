import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  answerWithinMs,
  askEveryMs,
  type ForeignAnswer,
  type ForeignEffect,
  type ForeignInstance,
  ForeignWatch,
  failuresMax,
  questionsMax,
  retellMs,
  turnMs,
} from "./foreign-watch.ts";

const web: ForeignInstance = {
  ...{ instance: "web@b#1", service: "web", node: "b" },
  ...{ checkTimeoutMs: 1_000, isDoubted: false },
};
const well: ForeignAnswer = { ok: true };
const refused: ForeignAnswer = { ok: false, reason: "refused" };

/** A watch whose questions are answered at once as `answer` says, or not at all; and what it has told. */
class Driven {
  readonly watch = new ForeignWatch();
  readonly told: string[] = [];
  instances: readonly ForeignInstance[] = [web];
  answer: (of: ForeignInstance) => ForeignAnswer | undefined = () => well;
  asked = 0;
  open = 0;
  now = 0;

  /** Turns until so much time has passed. */
  run(ms: number): this {
    for (const end = this.now + ms; this.now < end; this.now += turnMs) this.turn();
    return this;
  }

  turn(): void {
    this.perform(this.watch.turn(this.now, this.instances));
  }

  perform(effects: readonly ForeignEffect[]): void {
    for (const effect of effects) {
      if (effect.type !== "ask") {
        const why = effect.type === "doubt" ? ` ${effect.reason}` : "";
        this.told.push(`${effect.type} ${effect.of.instance}${why}`);
        const { instance } = effect.of;
        const isDoubted = effect.type === "doubt";
        this.instances = this.instances.map((each) =>
          each.instance === instance ? { ...each, isDoubted } : each,
        );
        continue;
      }
      this.asked += 1;
      const answer = this.answer(effect.of);
      if (answer !== undefined)
        this.perform(this.watch.answered(effect.of.instance, effect.question, this.now, answer));
    }
  }
}

describe("an instance of another node", () => {
  test("is asked once in an interval, and nothing is told while it answers", () => {
    const driven = new Driven().run(10 * askEveryMs);
    expect([driven.asked, driven.told]).toEqual([10, []]);
  });

  test("is doubted after so many questions in a row without an answer, and trusted by the first one", () => {
    const driven = new Driven();
    driven.answer = () => undefined;
    driven.run(failuresMax * answerWithinMs + turnMs);
    expect(driven.told).toEqual(["doubt web@b#1 no answer within 2 s (3 times)"]);
    driven.answer = () => well;
    driven.run(answerWithinMs + askEveryMs);
    expect(driven.told.slice(1)).toEqual(["trust web@b#1"]);
  });

  test("is not doubted while any of so many in a row is good", () => {
    const driven = new Driven();
    let turn = 0;
    driven.answer = () => (++turn % failuresMax === 0 ? well : refused);
    driven.run(60_000);
    expect(driven.told).toEqual([]);
  });

  test("whose own check may take longer is waited for as long", () => {
    const driven = new Driven();
    driven.instances = [{ ...web, checkTimeoutMs: 9_000 }];
    driven.answer = () => undefined;
    driven.run(30_000);
    expect(driven.told).toEqual([]);
    driven.run(2 * turnMs);
    expect(driven.told).toEqual(["doubt web@b#1 no answer within 10 s (3 times)"]);
  });

  test("that stays doubted is told of again, seldom", () => {
    const driven = new Driven();
    driven.answer = () => refused;
    driven.run(10_000 + 3 * retellMs);
    expect(driven.told).toHaveLength(4);
  });

  test("is known to be doubted by a watch that begins anew, and trusted by its first answer", () => {
    const driven = new Driven();
    driven.instances = [{ ...web, isDoubted: true }];
    driven.answer = () => refused;
    driven.run(10_000);
    expect(driven.told).toEqual([]);
    driven.answer = () => well;
    driven.run(askEveryMs);
    expect(driven.told).toEqual(["trust web@b#1"]);
  });

  test("is forgotten with what was counted when the graph says so", () => {
    const driven = new Driven();
    driven.answer = () => refused;
    driven.run(2 * askEveryMs);
    const { instances } = driven;
    driven.instances = [];
    driven.run(turnMs);
    expect(driven.watch.size).toBe(0);
    driven.instances = instances;
    driven.run(2 * askEveryMs);
    expect(driven.told).toEqual([]);
  });

  test("is not answered for by an answer that came too late", () => {
    const driven = new Driven();
    driven.answer = () => undefined;
    const [first] = driven.watch.turn(0, [web]);
    driven.now = turnMs;
    driven.run(answerWithinMs);
    if (first?.type !== "ask") throw new Error("it was not asked");
    expect(driven.watch.answered(web.instance, first.question, driven.now, well)).toEqual([]);
  });
});

describe("a watch that was late itself", () => {
  const lateMs = turnMs + askEveryMs / 2 + 1;

  test("counts no failure of what it had asked, whichever comes first after the pause", () => {
    for (const answersFirst of [true, false]) {
      const driven = new Driven();
      driven.answer = () => undefined;
      for (let pause = 0; pause < 10; pause += 1) {
        const asked = driven.watch.turn(driven.now, driven.instances);
        driven.now += answerWithinMs + lateMs;
        for (const effect of asked) {
          if (effect.type !== "ask" || !answersFirst) continue;
          driven.perform(driven.watch.answered(web.instance, effect.question, driven.now, refused));
        }
      }
      expect(driven.told).toEqual([]);
    }
  });

  test("takes an answer all the same", () => {
    const driven = new Driven();
    driven.answer = () => refused;
    driven.run(failuresMax * askEveryMs);
    expect(driven.told).toHaveLength(1);
    driven.answer = () => undefined;
    driven.now += askEveryMs;
    const [asked] = driven.watch.turn(driven.now, driven.instances);
    if (asked?.type !== "ask") throw new Error("it was not asked");
    driven.now += lateMs;
    driven.perform(driven.watch.answered(web.instance, asked.question, driven.now, well));
    expect(driven.told.slice(1)).toEqual(["trust web@b#1"]);
  });
});

test("so many questions are under way at most, and everyone has a turn", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), (count) => {
      const watch = new ForeignWatch();
      const all = Array.from({ length: count }, (_, at) => ({ ...web, instance: `web@b#${at}` }));
      const open = new Map<number, string>();
      const seen = new Set<string>();
      for (let now = 0; now < 20_000; now += turnMs) {
        const asked = watch.turn(now, all).filter((effect) => effect.type === "ask");
        for (const { question, of } of asked) {
          open.set(question, of.instance);
          seen.add(of.instance);
        }
        expect(open.size).toBeLessThanOrEqual(questionsMax);
        for (const [question, instance] of open) {
          watch.answered(instance, question, now, well);
          open.delete(question);
        }
      }
      expect(seen.size).toBe(count);
    }),
  );
});
