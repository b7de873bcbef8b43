import { describe, expect, test } from "vitest";
import {
  ProcessorCore,
  type ProcessorEffect,
  processorQueueMax,
  type WantedFile,
} from "./processor.ts";
import type { FromProcessor, ToProcessor } from "./processor-messages.ts";

const blob = (letter: string): string => letter.repeat(64);
const file = (name: string, more: Partial<WantedFile> = {}): WantedFile => ({
  file: name,
  blob: blob("a"),
  released: 0,
  hears: ["Sample"],
  ...more,
});
const event = { type: "Sample", data: 1 };

/** A processor whose thread answers when it is told to. */
class Stage {
  readonly emitted: [string, object][] = [];
  readonly published: string[] = [];
  readonly told: ToProcessor[] = [];
  readonly other: string[] = [];
  readonly missing = new Set<string>();
  armed: number | undefined;
  hasRoom = true;
  now = 0;
  readonly core = new ProcessorCore("n1", () => this.hasRoom);

  follow(...wanted: readonly WantedFile[]): void {
    this.run(this.core.follow(wanted, (hash) => !this.missing.has(hash), this.now));
  }

  offer(count = 1): string {
    const offer = this.core.offer(Array<typeof event>(count).fill(event), this.now);
    if (offer.type === "refused") return `${offer.code}: ${offer.reason}`;
    this.run(offer.effects);
    return "taken";
  }

  answer(answer: Partial<FromProcessor>): void {
    const last = this.told.at(-1);
    const taken = last?.type === "work" ? last.events.length : 0;
    const standard = { windows: 0, firstDue: null, faults: [], taken, published: [], lost: [] };
    this.run(
      this.core.answered({ type: last?.type, ...standard, ...answer } as FromProcessor, this.now),
    );
  }

  end(running: string | null = null): void {
    this.run(this.core.ended("out of memory", running, this.now));
  }

  tick(beats: number, count = 1): void {
    for (let n = 0; n < count; n += 1) this.run(this.core.tick(beats, this.now));
  }

  run(effects: readonly ProcessorEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "emit") this.emitted.push([effect.event, effect.data]);
      else if (effect.type === "publish")
        this.published.push(...effect.events.map(({ type }) => type));
      else if (effect.type === "tell") this.told.push(effect.message);
      else if (effect.type === "arm") this.armed = effect.inMs;
      else this.other.push(effect.type === "fetch" ? `fetch ${effect.blob[0]}` : effect.type);
    }
  }
}

/** A stage on which the files run. */
function begun(...wanted: readonly WantedFile[]): Stage {
  const stage = new Stage();
  stage.follow(...(wanted.length === 0 ? [file("load")] : wanted));
  stage.answer({});
  return stage;
}

describe("files", () => {
  test("begin a thread when there are some, and it is told what is loaded", () => {
    const stage = new Stage();
    stage.follow();
    expect([stage.other, stage.emitted]).toEqual([[], []]);
    stage.follow(file("load"));
    expect(stage.other).toEqual(["start", "began"]);
    expect(stage.told).toEqual([
      { type: "files", files: [{ file: "load", blob: blob("a"), version: `${blob("a")}:0` }] },
    ]);
    expect(stage.emitted).toEqual([]);
    stage.answer({});
    const files = [{ file: "load", blob: blob("a"), state: "loaded" }];
    expect(stage.emitted).toEqual([["ProcessorChanged", { node: "n1", files }]]);
  });

  test("whose code is not here yet leave the version before in force", () => {
    const stage = begun();
    stage.missing.add(blob("b"));
    stage.follow(file("load", { blob: blob("b") }));
    expect(stage.other.at(-1)).toBe("fetch b");
    expect(stage.told).toHaveLength(1);
    expect(stage.offer()).toBe("taken");
    stage.answer({});
    stage.missing.clear();
    stage.follow(file("load", { blob: blob("b") }));
    expect(stage.told.at(-1)).toMatchObject({ type: "files", files: [{ blob: blob("b") }] });
  });

  test("are loaded anew when their options change, and what is told of them says which", () => {
    const stage = begun(file("load", { options: { n: 1 }, edition: 1 }));
    const [first] = stage.told;
    expect(first).toMatchObject({ files: [{ options: { n: 1 }, edition: 1 }] });
    stage.follow(file("load", { options: { n: 2 }, edition: 2 }));
    const last = stage.told.at(-1);
    expect(last).toMatchObject({ files: [{ blob: blob("a"), options: { n: 2 }, edition: 2 }] });
    const versions = [first, last].map((each) => each?.type === "files" && each.files[0]?.version);
    expect(new Set(versions).size).toBe(2);
    stage.answer({});
    expect(stage.emitted.map(([, data]) => data)).toMatchObject([
      { files: [{ edition: 1, state: "loaded" }] },
      { files: [{ edition: 2, state: "loaded" }] },
    ]);
  });

  test("that fail with some options begin again with others", () => {
    const stage = begun(file("load", { edition: 1 }));
    stage.offer();
    stage.answer({ faults: [{ file: "load", version: `${blob("a")}:0#1`, reason: "it loops" }] });
    expect(stage.emitted.at(-1)?.[1]).toMatchObject({
      files: [{ edition: 1, state: "quarantined" }],
    });
    stage.follow(file("load", { edition: 2 }));
    stage.answer({});
    expect(stage.emitted.at(-1)?.[1]).toMatchObject({ files: [{ edition: 2, state: "loaded" }] });
  });

  test("that fail are in quarantine here until people take them back or correct them", () => {
    const stage = begun();
    stage.offer();
    const version = `${blob("a")}:0`;
    stage.answer({ faults: [{ file: "load", version, reason: "it loops" }] });
    const said = { node: "n1", file: "load", blob: blob("a"), reason: "it loops" };
    expect(stage.emitted.slice(1)).toEqual([
      ["ProcessorFileFailed", said],
      [
        "ProcessorChanged",
        {
          node: "n1",
          files: [{ file: "load", blob: blob("a"), state: "quarantined", reason: "it loops" }],
        },
      ],
    ]);
    expect(stage.offer()).toMatch(/^HAL_CONFLICT: .*in quarantine on n1: it loops/);
    stage.follow(file("load"));
    expect(stage.offer()).toMatch(/^HAL_CONFLICT/);
    stage.follow(file("load", { released: 1 }));
    expect(stage.told.at(-1)).toMatchObject({
      type: "files",
      files: [{ version: `${blob("a")}:1` }],
    });
    expect(stage.offer()).toBe("taken");
  });

  test("a node that has none says so when the graph has some of it", () => {
    const stage = new Stage();
    const told = [{ file: "old", blob: blob("a"), state: "loaded" as const }];
    stage.run(stage.core.follow([], () => true, 0, told));
    expect(stage.emitted).toEqual([["ProcessorChanged", { node: "n1", files: [] }]]);
  });
});

describe("events", () => {
  test("are given in steps, one at a time, with the time when they came in; what was not taken is given again", () => {
    const stage = begun();
    stage.now = 5;
    stage.offer(2);
    stage.now = 7;
    stage.offer(1);
    expect(stage.told.slice(1)).toEqual([
      {
        type: "work",
        now: 5,
        events: [
          { ...event, at: 5 },
          { ...event, at: 5 },
        ],
      },
    ]);
    stage.answer({ taken: 1 });
    expect(stage.told.at(-1)).toEqual({
      type: "work",
      now: 7,
      events: [
        { ...event, at: 5 },
        { ...event, at: 7 },
      ],
    });
  });

  test("beyond the bound of the queue are refused as a whole, with what to do", () => {
    const stage = begun();
    expect(stage.offer(processorQueueMax)).toBe("taken");
    expect(stage.offer(1)).toMatch(
      /^HAL_OVERLOADED: 10000 events wait .* nothing was taken, try again/,
    );
    stage.answer({});
    expect(stage.offer(1_024)).toBe("taken");
    expect(stage.offer(1)).toMatch(/^HAL_OVERLOADED/);
  });

  test("of a type that no file takes are refused, and those of a file that is about to be loaded", () => {
    const stage = new Stage();
    expect(stage.offer()).toMatch(/^HAL_EVENT_UNKNOWN/);
    stage.missing.add(blob("a"));
    stage.follow(file("load"));
    expect(stage.offer()).toMatch(/^HAL_OVERLOADED: n1 is about to load rule file load/);
  });

  test("that rules publish go on, and no more are made while there is no room for them", () => {
    const stage = begun();
    stage.offer(1_100);
    stage.hasRoom = false;
    stage.answer({ published: [{ rule: "load/r", type: "High", version: 1, data: null }] });
    expect(stage.published).toEqual(["High"]);
    const count = stage.told.length;
    expect([stage.armed, stage.told.at(-1)?.type]).toEqual([10, "work"]);
    stage.hasRoom = true;
    stage.run(stage.core.look(9));
    expect(stage.told).toHaveLength(count + 1);
  });

  test("what is due without an event is asked for in time", () => {
    const stage = begun();
    stage.offer();
    stage.answer({ firstDue: 500 });
    expect(stage.armed).toBe(500);
    stage.now = 500;
    stage.run(stage.core.look(stage.now));
    expect(stage.told.at(-1)).toEqual({ type: "work", now: 500, events: [] });
  });
});

describe("a thread that ends", () => {
  test("is started again after a wait, and what is lost is told; events that waited are not", () => {
    const stage = begun();
    stage.offer(2);
    stage.answer({ windows: 7, taken: 1 });
    stage.end();
    expect(stage.armed).toBe(200);
    expect(stage.core.view(0)).toMatchObject({ state: "starting", queue: 1, restarts: 0 });
    stage.now = 200;
    stage.run(stage.core.look(stage.now));
    expect(stage.other).toEqual(["start", "began", "start", "began"]);
    stage.answer({});
    expect(stage.emitted.at(-1)).toEqual([
      "ProcessorRestarted",
      { node: "n1", lost: 7, reason: "its thread ended: out of memory" },
    ]);
    expect(stage.told.at(-1)).toMatchObject({ type: "work", events: [event] });
  });

  test("in the code of a file is started at once without it", () => {
    const stage = begun(file("bad"), file("good", { blob: blob("b") }));
    stage.offer();
    stage.end("bad");
    expect(stage.emitted.at(-2)).toMatchObject(["ProcessorFileFailed", { file: "bad" }]);
    expect(stage.told.at(-1)).toMatchObject({ type: "files", files: [{ file: "good" }] });
    stage.answer({});
    expect(stage.emitted.at(-1)).toMatchObject([
      "ProcessorRestarted",
      { reason: "its thread ended in bad: out of memory" },
    ]);
    expect(stage.told.at(-1)).toMatchObject({ type: "work", events: [event] });
  });

  test("twice with the same events goes on without these, which are told as lost", () => {
    const stage = begun();
    stage.offer(3);
    for (const wait of [200, 400]) {
      stage.end();
      stage.now += wait;
      stage.run(stage.core.look(stage.now));
      stage.answer({});
    }
    expect(stage.emitted.slice(-1)).toMatchObject([["ProcessorRestarted", { events: 3 }]]);
    expect(stage.core.view(stage.now).queue).toBe(0);
  });

  test("is ended when it has work and its beat stands still, and not before it has begun", () => {
    const stage = begun();
    stage.tick(5, 20);
    stage.offer();
    stage.tick(5, 7);
    expect(stage.other).toEqual(["start", "began"]);
    stage.tick(6);
    stage.tick(6, 8);
    expect(stage.other).toEqual(["start", "began", "end"]);
    stage.end("load");
    expect(stage.emitted.at(-2)).toMatchObject([
      "ProcessorFileFailed",
      { reason: expect.stringContaining("hung for 2 s") },
    ]);
    stage.tick(0, 60);
    expect(stage.other).toEqual(["start", "began", "end", "start", "began"]);
  });
});
