import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type DetectorOutput,
  FailureDetector,
  type Observation,
  tickMs,
} from "./failure-detector.ts";
import { graceMs } from "./watched.ts";

/** How the beats of a node reach an observer, and whether it answers over its link. */
interface Line {
  /** Undefined: the beat sent at `at` is lost. */
  delayMs(at: number): number | undefined;
}

const steady: Line = { delayMs: () => 1 };
const none: Line = { delayMs: () => undefined };
const until = (end: number, line: Line = steady): Line => ({
  delayMs: (at) => (at < end ? line.delayMs(at) : undefined),
});

interface Beating {
  /** To the observer under test. */
  readonly line: Line;
  /** To each of the other observers. */
  readonly others?: Readonly<Record<string, Line>>;
  /** Its main thread turns until then. */
  readonly turnsUntil?: number;
  /** It answers over its link until then. */
  readonly answersUntil?: number;
}

/** What the observer `node-1` says of the nodes within `untilMs`, in order, with the time at which it says it. */
function watching(
  nodes: Readonly<Record<string, Beating>>,
  untilMs: number,
  happen: (detector: FailureDetector, at: number) => readonly DetectorOutput[] = () => [],
  isPaused: (at: number) => boolean = () => false,
): (Observation & { readonly at: number })[] {
  const detector = new FailureDetector("node-1", 0);
  const said: (Observation & { readonly at: number })[] = [];
  const heardBy = new Map<string, number>();
  /** Of answers, by the time at which they come in. */
  const answers: { at: number; from: string; about: string; ageMs: number | null }[] = [];
  const beats: { at: number; node: string; to: string; main: number }[] = [];
  const observers = Object.entries(nodes).map(([node, { others = {} }]) => {
    return [node, Object.keys(others)] as const;
  });
  detector.setObservers(new Map(observers));
  detector.attach("node-1", 1, 0);
  for (const node of Object.keys(nodes)) detector.attach(node, 1, 0);
  const names = new Set(observers.flatMap(([, others]) => others));
  for (const other of names) if (!(other in nodes)) detector.attach(other, 1, 0);
  const take = (outputs: readonly DetectorOutput[], at: number): void => {
    for (const output of outputs) {
      if (output.type !== "askOpinions") {
        said.push({ ...output, at });
        continue;
      }
      for (const from of output.of) {
        const about = output.node;
        const heardAt = heardBy.get(`${from} ${about}`);
        const ageMs = from === about ? 0 : heardAt === undefined ? null : at + 2 - heardAt;
        const { answersUntil = Infinity } = nodes[from] ?? {};
        if (at < answersUntil) answers.push({ at: at + 2, from, about, ageMs });
      }
    }
  };
  let isAfterPause = false;
  for (let at = 0; at <= untilMs; at += 1) {
    for (const [index, [node, beating]] of Object.entries(nodes).entries()) {
      if (at % 100 !== index % 100) continue;
      const main = Math.floor(Math.min(at, beating.turnsUntil ?? Infinity) / 50) + 1;
      for (const [to, line] of Object.entries({ "node-1": beating.line, ...beating.others })) {
        const delayMs = line.delayMs(at);
        if (delayMs !== undefined) beats.push({ at: at + delayMs, node, to, main });
      }
    }
    for (const beat of beats.filter((one) => one.at <= at && one.to !== "node-1")) {
      heardBy.set(`${beat.to} ${beat.node}`, at);
      beats.splice(beats.indexOf(beat), 1);
    }
    if (isPaused(at)) {
      isAfterPause = true;
      continue;
    }
    take(happen(detector, at), at);
    for (const answer of answers.splice(0)) {
      if (answer.at > at) answers.push(answer);
      else detector.opinion(answer.from, answer.about, answer.ageMs, at);
    }
    if (at % tickMs !== 0) continue;
    // What waits for a thread that stood still may come after its timers.
    if (isAfterPause) take(detector.tick(at), at);
    isAfterPause = false;
    const arrived = beats.filter((one) => one.at <= at && one.to === "node-1");
    for (const beat of arrived) beats.splice(beats.indexOf(beat), 1);
    detector.heard(
      arrived.map(({ node, main, at: came }) => ({
        node,
        incarnation: 1,
        at: came,
        counters: { main },
      })),
      at,
    );
    take(detector.tick(at), at);
  }
  return said;
}

const types = (said: readonly Observation[]): string[] => said.map(({ type }) => type);

/** Jitter up to 400 ms and 20 % loss, drawn from the time of the beat. */
function rough(seed: number): Line {
  const draw = (at: number, salt: number): number => {
    let x = (Math.imul(at + 1, 0x9e3779b1) ^ Math.imul(seed + salt, 0x85ebca6b)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  };
  return {
    delayMs: (at) => (draw(at, 1) < 0.2 ? undefined : Math.floor(draw(at, 2) * 400)),
  };
}

test("a node whose beats come is never spoken of", () => {
  expect(watching({ "node-2": { line: steady } }, 60_000)).toEqual([]);
});

test("a node is never lost, whatever the jitter up to 400 ms and 20 % loss on the way to each observer", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.boolean(), (seed, answers) => {
      const others = { "node-3": rough(seed + 1), "node-4": rough(seed + 2) };
      const node = { line: rough(seed), others, ...(answers ? {} : { answersUntil: 0 }) };
      expect(types(watching({ "node-2": node }, 20_000))).not.toContain("NodeLost");
    }),
    { numRuns: 40 },
  );
});

test("a node that falls silent is suspect, then lost within 2 s of its last beat when the others agree, however unsteady it was", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 3_000, max: 9_000 }), (seed, end) => {
      const others = {
        "node-3": until(end, rough(seed + 1)),
        "node-4": until(end, rough(seed + 2)),
      };
      const node = { line: until(end, rough(seed)), others, answersUntil: end };
      const last = watching({ "node-2": node }, end + 2_400).at(-1);
      expect(last).toMatchObject({ type: "NodeLost", node: "node-2", incarnation: 1 });
      // What was sent last may have been on its way for 400 ms.
      expect(last?.at).toBeLessThanOrEqual(end + 400 + 2_000);
    }),
    { numRuns: 40 },
  );
});

test("of a node with steady beats silence is told after 500 ms and its loss after a second, with what the others said", () => {
  const others = { "node-3": until(5_000), "node-4": until(4_950) };
  const said = watching({ "node-2": { line: until(5_000), others, answersUntil: 5_000 } }, 8_000);
  expect(types(said)).toEqual(["NodeSuspected", "NodeLost"]);
  expect(said.map(({ at }) => at - 4_901)).toEqual([549, 1_049]);
  expect(said[1]?.reason).toBe("no beat for 1.0 s");
  expect(said[1]?.evidence).toEqual([
    "node-2: last beat 1.0 s ago (phi 79.9)",
    "asked node-3: last heard it 1.0 s ago",
    "asked node-4: last heard it 1.0 s ago",
    "asked node-2 itself over its link: no answer",
  ]);
});

test("a node whose link was closed by its kernel is suspect at once and lost a second after its last beat", () => {
  const said = watching({ "node-2": { line: until(5_000) } }, 8_000, (detector, at) =>
    at === 5_010 ? detector.linkDown("node-2", "ECONNRESET", at) : [],
  );
  expect(said.map(({ type, at }) => [type, at])).toEqual([
    ["NodeSuspected", 5_010],
    ["NodeLost", 5_950],
  ]);
  expect(said[1]).toMatchObject({ reason: "ECONNRESET" });
  expect(said[1]?.evidence).toEqual([
    "node-2: last beat 1.0 s ago (phi 79.9)",
    "link closed: ECONNRESET",
    "nobody else could be asked",
  ]);
});

test("a node that comes back in time is trusted again, and nothing else is said", () => {
  const said = watching({ "node-2": { line: steady } }, 8_000, (detector, at) => {
    if (at === 5_010) return detector.linkDown("node-2", "the connection broke", at);
    return at === 5_300 ? detector.attach("node-2", 1, at) : [];
  });
  expect(types(said)).toEqual(["NodeSuspected", "NodeTrusted"]);
});

test("a new start of the node does not say that the suspicion was wrong", () => {
  const said = watching({ "node-2": { line: steady } }, 8_000, (detector, at) => {
    if (at === 5_010) return detector.linkDown("node-2", "the connection broke", at);
    return at === 5_300 ? detector.attach("node-2", 2, at) : [];
  });
  expect(types(said)).toEqual(["NodeSuspected"]);
});

test("the break of a link that was replaced is no news", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 1, 0);
  expect(types(detector.linkDown("node-2", "cut", 10) as Observation[])).toContain("NodeSuspected");
  expect(detector.linkDown("node-2", "cut again", 20)).toEqual([]);
});

test("where no beat ever came the link counts: lost a second after it broke", () => {
  const node = { line: none };
  expect(watching({ "node-2": node }, 30_000)).toEqual([]);
  const said = watching({ "node-2": node }, 8_000, (detector, at) =>
    at === 5_000 ? detector.linkDown("node-2", "silent for 1500 ms", at) : [],
  );
  expect(said.map(({ type, at }) => [type, at])).toEqual([
    ["NodeSuspected", 5_000],
    ["NodeLost", 6_000],
  ]);
  expect(said[1]?.evidence).toContain("node-2: no beat has come from it; its link is judged");
});

test("a node that answers over its link is not lost when its beats do not get through any more", () => {
  const said = watching({ "node-2": { line: until(5_000) } }, 60_000);
  expect(types(said)).toEqual(["NodeSuspected", "NodeTrusted"]);
  expect(said[1]?.evidence).toContain(
    "its beats did not get through though it answered over its link",
  );
});

test("a node that one of the others hears is suspect, told to be cut off, and lost after 10 s all the same", () => {
  const others = { "node-3": steady, "node-4": until(5_000) };
  const node = { line: until(5_000), others, answersUntil: 5_000 };
  const said = watching({ "node-2": node }, 20_000);
  expect(types(said)).toEqual(["NodeSuspected", "NodeSuspected", "NodeLost"]);
  expect(said[1]?.reason).toMatch(
    /^the path to it is broken, the node is not: node-3 heard it 0\.\d s ago$/,
  );
  expect((said[2]?.at ?? 0) - (said[0]?.at ?? 0)).toBe(10_000);
});

test("a node that beats and does not come back to the coordinator is lost after 10 s", () => {
  const said = watching({ "node-2": { line: steady } }, 20_000, (detector, at) =>
    at === 5_000 ? detector.linkDown("node-2", "silent for 1500 ms", at) : [],
  );
  expect(said.map(({ type, at }) => [type, at])).toEqual([
    ["NodeSuspected", 5_000],
    ["NodeSuspected", 6_000],
    ["NodeLost", 15_000],
  ]);
});

test("a node whose main thread stands still is suspect after 2 s and lost after 5 s, whether its link stands or not", () => {
  const hung = { line: steady, turnsUntil: 5_000, answersUntil: 5_000 };
  for (const closes of [false, true]) {
    const said = watching({ "node-2": hung }, 20_000, (detector, at) =>
      closes && at === 6_500 ? detector.linkDown("node-2", "silent for 1500 ms", at) : [],
    );
    const lost = said.at(-1);
    expect(lost).toMatchObject({
      type: "NodeLost",
      reason: "its main thread stands still for 5.0 s",
    });
    expect(lost?.at).toBeGreaterThanOrEqual(10_000);
    expect(lost?.at).toBeLessThanOrEqual(10_200);
    expect(said[0]?.at).toBeGreaterThanOrEqual(closes ? 6_500 : 7_000);
    expect(said[0]?.at).toBeLessThanOrEqual(closes ? 6_500 : 7_200);
  }
});

test("a main thread that stands still for less than 5 s and turns again costs a suspicion", () => {
  const turns: Line = steady;
  const said = watching({ "node-2": { line: turns, turnsUntil: 4_000 } }, 8_000);
  expect(types(said)).toEqual(["NodeSuspected"]);
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 1, 0);
  const seen: string[] = [];
  for (let at = 0; at <= 9_000; at += 50) {
    const main = at < 1_000 || at > 4_500 ? at : 1_000;
    if (at % 100 === 0)
      detector.heard([{ node: "node-2", incarnation: 1, at, counters: { main } }], at);
    seen.push(...types(detector.tick(at).filter((one) => one.type !== "askOpinions")));
  }
  expect(seen).toEqual(["NodeSuspected", "NodeTrusted"]);
});

test("an observer that stood still concludes nothing from what it missed, whenever and for however long", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 4_000 }),
      fc.integer({ min: 300, max: 12_000 }),
      fc.boolean(),
      fc.boolean(),
      (from, forMs, isHeard, answers) => {
        const others = { "node-3": isHeard ? steady : none };
        const paused = (at: number): boolean => at > from && at < from + forMs;
        const said = watching(
          { "node-2": { line: steady, others, ...(answers ? {} : { answersUntil: 0 }) } },
          from + forMs + 4_000,
          () => [],
          paused,
        );
        expect(said).toEqual([]);
      },
    ),
    { numRuns: 40 },
  );
});

test("the beat thread's lateness silences the observer as its own does; 249 ms do not", () => {
  for (const [ms, count] of [
    [250, 0],
    [249, 1],
  ] as const) {
    const said = watching(
      { "node-2": { line: until(5_000), answersUntil: 0 } },
      5_600,
      (detector, at) => {
        if (at === 5_000) detector.ownLateness(ms, at);
        return [];
      },
    );
    expect(said).toHaveLength(count);
  }
});

test("what an observer that is always late cannot judge, the others do; alone it waits", () => {
  const always = (detector: FailureDetector, at: number): readonly DetectorOutput[] => {
    if (at % 500 === 0) detector.ownLateness(300, at);
    return [];
  };
  const node = { line: until(5_000), answersUntil: 5_000 };
  const others = { "node-3": until(5_000), "node-4": none };
  const [lost] = watching({ "node-2": { ...node, others } }, 8_000, always);
  expect(lost).toMatchObject({ type: "NodeLost" });
  expect(lost?.at).toBeLessThanOrEqual(6_100);
  expect(lost?.evidence).toContain("this observer was late itself, and relies on the others");
  expect(watching({ "node-2": node }, 20_000, always)).toEqual([]);
});

test("a node that stays silent through the observer's own lateness is lost when that is over", () => {
  const said = watching(
    { "node-2": { line: until(5_000), answersUntil: 5_000 } },
    9_000,
    (detector, at) => {
      if (at === 5_700) detector.ownLateness(400, at);
      return [];
    },
  );
  expect(said.map(({ type, at }) => [type, at])).toEqual([
    ["NodeSuspected", 5_450],
    ["NodeLost", 7_700],
  ]);
});

test("when the observer's own network is gone every node is suspected and lost by the rule", () => {
  const names = ["node-2", "node-3", "node-4", "node-5"];
  const nodes = names.map((name, index) => {
    const watchers = [1, 2].map((step) => names[(index + step) % names.length] ?? name);
    const others = Object.fromEntries(watchers.map((watcher) => [watcher, steady]));
    return [name, { line: until(5_000), others, answersUntil: 5_000 }] as const;
  });
  const said = watching(Object.fromEntries(nodes), 8_000);
  for (const name of names) {
    const own = said.filter(({ node }) => node === name);
    expect(types(own)).toEqual(["NodeSuspected", "NodeLost"]);
    expect(own[1]?.at).toBeLessThanOrEqual(6_200);
    expect(own[1]?.evidence).toContain(`asked ${name} itself over its link: no answer`);
    expect(own[1]?.evidence.join()).not.toContain("last heard");
  }
});

test("a new leader waits 4 s for a node that nobody has heard", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.expect("node-2", 7, 0);
  const seen: unknown[] = [];
  for (let at = 0; at <= graceMs + 100; at += tickMs)
    seen.push(...detector.tick(at).map(({ type }) => [type, at]));
  expect(seen).toEqual([["NodeLost", graceMs]]);
});

test("of a node that others have not heard for a second a new leader waits no longer; one that somebody hears gets its time", () => {
  for (const [ages, lost] of [
    [[1_000, 4_000], true],
    [[1_200, null], true],
    [[1_200, 100], false],
    [[null, null], false],
  ] as const) {
    const detector = new FailureDetector("node-1", 0);
    detector.setObservers(new Map([["node-2", ["node-3", "node-4"]]]));
    detector.attach("node-3", 1, 0);
    detector.attach("node-4", 1, 0);
    detector.expect("node-2", 7, 0);
    expect(detector.tick(50)).toEqual([
      { type: "askOpinions", node: "node-2", of: ["node-3", "node-4"] },
    ]);
    detector.opinion("node-3", "node-2", ages[0], 60);
    detector.opinion("node-4", "node-2", ages[1], 60);
    const outputs = detector.tick(100);
    expect(outputs.map(({ type }) => type)).toEqual(lost ? ["NodeLost"] : []);
  }
});

test("a node that beats to the new leader and has not attached within 4 s is suspect only", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.expect("node-2", 7, 0);
  const seen: unknown[] = [];
  for (let at = 0; at <= 6_000; at += tickMs) {
    detector.heard([{ node: "node-2", incarnation: 7, at, counters: { main: at } }], at);
    seen.push(...detector.tick(at).map(({ type }) => [type, at]));
  }
  expect(seen[0]).toEqual(["NodeSuspected", graceMs]);
  expect(JSON.stringify(seen)).not.toContain("NodeLost");
});

test("a node that has attached is not expected any more", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 7, 0);
  detector.expect("node-2", 7, 0);
  for (let at = 0; at <= 10_000; at += tickMs) expect(detector.tick(at)).toEqual([]);
  expect(detector.attached()).toEqual(["node-2"]);
});

test("the leader before, whose link broke, is suspect at once and lost a second after its last beat", () => {
  const detector = new FailureDetector("node-2", 2_000);
  const lost = { at: 1_500, reason: "the connection broke" };
  const first = detector.expectClosed("node-1", 7, lost, 2_000);
  expect(first.map(({ type }) => type)).toEqual(["NodeSuspected"]);
  const seen: unknown[] = [];
  for (let at = 2_050; at <= 2_600; at += tickMs)
    seen.push(...detector.tick(at).map(({ type }) => [type, at]));
  expect(seen).toEqual([["NodeLost", 2_500]]);
});

test("beats of an earlier incarnation count for nothing", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 7, 0);
  detector.linkDown("node-2", "cut", 0);
  const seen: string[] = [];
  for (let at = 0; at <= 1_100; at += tickMs) {
    detector.heard([{ node: "node-2", incarnation: 6, at, counters: { main: at } }], at);
    seen.push(...detector.tick(at).map(({ type }) => type));
  }
  expect(seen).toEqual(["NodeLost"]);
});

test("a node is told lost once, and watched again when it attaches", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 7, 0);
  detector.linkDown("node-2", "cut", 0);
  const seen: string[] = [];
  for (let at = 0; at <= 5_000; at += tickMs)
    seen.push(...detector.tick(at).map(({ type }) => type));
  expect(seen).toEqual(["NodeLost"]);
  detector.attach("node-2", 7, 5_000);
  expect(detector.linkDown("node-2", "cut", 5_010).map(({ type }) => type)).toEqual([
    "NodeSuspected",
  ]);
});

test("a node that has said that it stops is not spoken of", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.attach("node-2", 7, 0);
  detector.leave("node-2");
  expect(detector.linkDown("node-2", "closed", 0)).toEqual([]);
  for (let at = 0; at <= 5_000; at += tickMs) expect(detector.tick(at)).toEqual([]);
});

test("an observer that is late while a main thread stands still does not trust it for that", () => {
  const hung = { line: steady, turnsUntil: 5_000, answersUntil: 5_000 };
  const said = watching({ "node-2": hung }, 20_000, (detector, at) => {
    if (at === 7_500) detector.ownLateness(300, at);
    return [];
  });
  expect(types(said)).toEqual(["NodeSuspected", "NodeLost"]);
  expect(said[1]?.at).toBeGreaterThanOrEqual(12_500);
});

test("what another said before it fell silent itself confirms nothing", () => {
  const detector = new FailureDetector("node-1", 0);
  detector.setObservers(new Map([["node-2", ["node-3"]]]));
  detector.attach("node-3", 1, 0);
  detector.expect("node-2", 7, 0);
  const seen: unknown[] = [];
  for (let at = 50; at <= graceMs; at += tickMs) {
    if (at <= 100) {
      detector.heard([{ node: "node-2", incarnation: 7, at, counters: { main: at } }], at);
      detector.opinion("node-3", "node-2", 1_200, at);
    }
    const lost = detector.tick(at).filter(({ type }) => type === "NodeLost");
    seen.push(...lost.map(() => at));
  }
  expect(seen).toEqual([graceMs]);
});
