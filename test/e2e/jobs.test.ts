/**
 * A thousand jobs of a statechart outlive the death of their coordinator, and of all three nodes at once.
 *
 * Times are held by the log alone: how early or late a delay was is in its own records. What clocks have shown is printed.
 */
import { join } from "node:path";
import { EventEntry } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  freePorts,
  host,
  kill,
  line,
  type Program,
  project,
  root,
  start,
  status,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";

afterEach(cleanUp);

const names = ["node-1", "node-2", "node-3"] as const;
const jobs = 1_000;
const stepsOfAJob = 4;
/** In its n-th state every n-th job of four stays long, so that at any time some are in each. */
const longMs = 5_000;
const shortMs = 300;
const deadlineMs = 90_000;
/** More than all deadlines together: one that is missed says what was waited for. */
const timeout = 420_000;
/** Events on their way at once. */
const atOnce = 32;
const pageSize = 1_000;

const rules = `import { by, defineEvent, defineRules, effect, type JobEvent, setup, statechart, z } from "@halon/rules";

const Begin = defineEvent({
  type: "Begin",
  schema: z.strictObject({ job: z.string(), ms: z.array(z.number().int()) }),
});
const Stepped = defineEvent({
  type: "Stepped",
  schema: z.strictObject({ job: z.string(), step: z.number().int() }),
  sentBy: "rule",
});

type Context = { job: string; ms: readonly number[] };
const waitOf = (state: number) => ({ context }: { context: Context }) => context.ms[state] ?? 1;

const machine = setup({
  types: {
    context: {} as Context,
    input: {} as JobEvent<typeof Begin>,
    events: {} as JobEvent<typeof Begin>,
  },
  actions: { step: (_, _params: { step: number }) => effect() },
  delays: { first: waitOf(0), second: waitOf(1), third: waitOf(2), fourth: waitOf(3) },
}).createMachine({
  context: ({ input }) => input.data,
  initial: "one",
  states: {
    one: { entry: { type: "step", params: { step: 1 } }, after: { first: "two" } },
    two: { entry: { type: "step", params: { step: 2 } }, after: { second: "three" } },
    three: { entry: { type: "step", params: { step: 3 } }, after: { third: "four" } },
    four: { entry: { type: "step", params: { step: 4 } }, after: { fourth: "over" } },
    over: { type: "final" },
  },
});

export default defineRules(
  {
    work: statechart({
      on: [by(Begin, (event) => event.job)],
      starts: [Begin],
      machine,
      effects: {
        step: ({ context, params, publish }) =>
          publish(Stepped, { job: context.job, step: params.step }),
      },
    }),
  },
  { events: [Stepped] },
);
`;

test("a thousand jobs outlive kill -9 of the halond that leads: each ends once, does each step once, and no delay is early", {
  timeout,
}, async () => {
  const station = await Station.start();
  await station.beginJobs();
  const leader = await station.whenAmidJobs();
  const killedAt = Date.now();
  station.kill(leader);
  const history = await station.whenAllHaveEnded();
  judge(history, killedAt, `kill -9 of ${leader}, which led`);
});

test("a thousand jobs outlive kill -9 of all three halonds at once", { timeout }, async () => {
  const station = await Station.start();
  await station.beginJobs();
  await station.whenAmidJobs();
  const killedAt = Date.now();
  for (const name of names) station.kill(name);
  await station.bringBack();
  const history = await station.whenAllHaveEnded();
  judge(history, killedAt, "kill -9 of all");
});

/** Three nodes, each a process of its own, with the rule file. */
class Station {
  readonly #directory: string;
  readonly #addresses: ReadonlyMap<string, string>;
  readonly #running = new Map<string, Program>();
  readonly #history: EventEntry[] = [];

  private constructor(directory: string, addresses: ReadonlyMap<string, string>) {
    this.#directory = directory;
    this.#addresses = addresses;
  }

  static async start(): Promise<Station> {
    const ports = await freePorts(names.length);
    const addresses = new Map(names.map((name, at) => [name, `${host}:${ports[at]}`]));
    const station = new Station(temporaryDirectory(), addresses);
    await station.bringBack();
    const file = project(join(station.#directory, "project"), {
      "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [], rules: ["./work.rules.ts"] });
`,
      "work.rules.ts": rules,
    });
    await ctl(station.#endpointOf(names[0]), "apply", "-f", file);
    return station;
  }

  /** Starts each node that does not run, and waits until it is ready. */
  async bringBack(): Promise<void> {
    const [first] = names;
    await Promise.all(
      names
        .filter((name) => !this.#running.has(name))
        .map(async (name) => {
          const program = start([
            join(root, "packages/cli/bin/halond.js"),
            ...["start", "--name", name, "--data-dir", join(this.#directory, name)],
            ...["--listen", this.#addressOf(name), "--agency-size", String(names.length)],
            ...(name === first ? [] : ["--join", this.#addressOf(first)]),
          ]);
          this.#running.set(name, program);
          await line(program, /^halond ready /m, 60_000);
        }),
    );
  }

  kill(name: string): void {
    const program = this.#running.get(name);
    if (program === undefined) throw new Error(`${name} does not run`);
    this.#running.delete(name);
    kill(program.pid, "SIGKILL");
  }

  async beginJobs(): Promise<void> {
    let next = 0;
    const sendAll = async (): Promise<void> => {
      for (let number = next++; number < jobs; number = next++) await this.#begin(number);
    };
    await Promise.all(Array.from({ length: atOnce }, sendAll));
  }

  /** Waits until the first job is in its last state; gives the node that leads. */
  async whenAmidJobs(): Promise<string> {
    await waitFor(
      "a job in its last state",
      async () => (await this.#read()).some((entry) => stepOf(entry) === stepsOfAJob),
      deadlineMs,
    );
    const leader = await this.#ask(async (endpoint) => (await status(endpoint)).cluster.leader);
    if (leader === null) throw new Error("nobody leads");
    return leader;
  }

  /** The whole history, once every job has ended. */
  async whenAllHaveEnded(): Promise<readonly EventEntry[]> {
    await waitFor(
      "every job to end",
      async () => {
        const ended = (await this.#read()).filter(({ type }) => type === "JobEnded").length;
        if (ended >= jobs) return true;
        throw new Error(`${ended} have ended`);
      },
      deadlineMs,
    );
    return this.#history;
  }

  /** The same id again until it is acknowledged: it counts once. */
  async #begin(number: number): Promise<void> {
    const ms = Array.from({ length: stepsOfAJob }, (_, state) =>
      state === number % stepsOfAJob ? longMs : shortMs,
    );
    const id = `begin-${number}`;
    const body = JSON.stringify({ id, type: "Begin", data: { job: `job-${number}`, ms } });
    await waitFor(
      `${id} to be acknowledged`,
      () =>
        this.#ask(async (endpoint) => {
          const answer = await fetch(`${endpoint}/v1/events`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body,
            signal: AbortSignal.timeout(15_000),
          });
          if (answer.status === 200) return true;
          throw new Error(`${answer.status} ${await answer.text()}`);
        }),
      deadlineMs,
    );
  }

  /** What the log has, as far as the node that is asked knows. */
  async #read(): Promise<readonly EventEntry[]> {
    for (;;) {
      const last = this.#history.at(-1);
      const after = last === undefined ? "0" : `${last.index}.${last.position}`;
      const page = await this.#ask(async (endpoint) => {
        const path = `/v1/events?after=${after}&limit=${pageSize}`;
        const answer = await fetch(`${endpoint}${path}`, { signal: AbortSignal.timeout(5_000) });
        return EventEntry.array().parse(await answer.json());
      });
      this.#history.push(...page);
      if (page.length < pageSize) return this.#history;
    }
  }

  /** Asks one of the nodes that run. */
  #ask<T>(question: (endpoint: string) => Promise<T>): Promise<T> {
    const name = names.findLast((each) => this.#running.has(each));
    if (name === undefined) throw new Error("no node runs");
    return question(this.#endpointOf(name));
  }

  #addressOf(name: string): string {
    return this.#addresses.get(name) ?? "";
  }

  #endpointOf(name: string): string {
    return `http://${this.#addressOf(name)}`;
  }
}

function dataOf({ data }: EventEntry): Readonly<Record<string, unknown>> {
  return (data ?? {}) as Readonly<Record<string, unknown>>;
}

/** The step that an event is the effect of. */
function stepOf(entry: EventEntry): number | null {
  return entry.type === "Stepped" ? Number(dataOf(entry)["step"]) : null;
}

/** What became of one job: its steps, then its end. */
interface Course {
  readonly key: string;
  readonly steps: readonly EventEntry[];
  readonly ends: readonly EventEntry[];
}

/** What became of each job that a history tells of. */
function coursesOf(history: readonly EventEntry[]): readonly Course[] {
  const courses = new Map<string, { key: string; steps: EventEntry[]; ends: EventEntry[] }>();
  const courseOf = (key: unknown) => {
    const course = courses.get(String(key)) ?? { key: String(key), steps: [], ends: [] };
    courses.set(course.key, course);
    return course;
  };
  for (const entry of history)
    if (entry.type === "Stepped") courseOf(dataOf(entry)["job"]).steps.push(entry);
    else if (entry.type === "JobEnded") courseOf(dataOf(entry)["key"]).ends.push(entry);
  return [...courses.values()];
}

/** A delay of a job: from the event that began it to the one that it led to. */
interface Delay {
  readonly from: EventEntry;
  readonly to: EventEntry;
  readonly ms: number;
}

function delaysOf({ key, steps, ends }: Course): readonly Delay[] {
  const number = Number(key.slice("job-".length));
  return steps.flatMap((from, state) => {
    const to = steps[state + 1] ?? ends[0];
    const ms = state === number % stepsOfAJob ? longMs : shortMs;
    return to === undefined ? [] : [{ from, to, ms }];
  });
}

function judge(history: readonly EventEntry[], killedAt: number, what: string): void {
  const courses = coursesOf(history);
  expect(courses).toHaveLength(jobs);
  const wrong = courses.filter(({ steps, ends }) => {
    const outcomes = ends.map((end) => dataOf(end)["outcome"]).join(" ");
    return outcomes !== "done" || steps.map(stepOf).join(" ") !== "1 2 3 4";
  });
  expect(wrong).toEqual([]);

  const running = coursesOf(history.filter(({ time }) => Date.parse(time) <= killedAt)).filter(
    ({ ends }) => ends.length === 0,
  );
  const states = [1, 2, 3, 4].map((state) => running.filter((job) => job.steps.length === state));
  expect(Math.min(...states.map(({ length }) => length))).toBeGreaterThan(0);

  const delays = courses.flatMap(delaysOf);
  expect(delays).toHaveLength(jobs * stepsOfAJob);
  const earlier = earlierTimes(history);
  for (const { from, to, ms } of delays) {
    expect(to.logTime).toBeGreaterThanOrEqual(from.logTime + ms);
    // No record before had come so far: it is decided in the first one that could.
    expect(earlier.get(to.index)).toBeLessThan(from.logTime + ms);
  }
  print(history, delays, killedAt, `${what}, jobs in each state: ${states.map((of) => of.length)}`);
}

/** By index of each record: the log time of the one before. */
function earlierTimes(history: readonly EventEntry[]): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  let last = { index: 0, logTime: Number.NEGATIVE_INFINITY };
  for (const entry of history) {
    if (entry.index === last.index) continue;
    times.set(entry.index, last.logTime);
    last = entry;
  }
  return times;
}

function print(
  history: readonly EventEntry[],
  delays: readonly Delay[],
  killedAt: number,
  what: string,
): void {
  const wallOf = ({ time }: EventEntry): number => Date.parse(time);
  const next = history.find((entry) => wallOf(entry) > killedAt);
  const outageMs = next === undefined ? 0 : wallOf(next) - killedAt;
  const most = (late: (delay: Delay) => number): number =>
    delays.reduce((max, delay) => Math.max(max, late(delay)), Number.NEGATIVE_INFINITY);
  const lateMs = most(({ from, to, ms }) => wallOf(to) - wallOf(from) - ms);
  const earlyMs = most(({ from, to, ms }) => ms - (wallOf(to) - wallOf(from)));
  const logMs = most(({ from, to, ms }) => to.logTime - from.logTime - ms);
  console.log(
    `${what}; decided again after ${outageMs} ms; delays were late by at most ${lateMs} ms by the clock, ` +
      `${logMs} ms by the log; early by at most ${Math.max(0, earlyMs)} ms by the clock`,
  );
}
