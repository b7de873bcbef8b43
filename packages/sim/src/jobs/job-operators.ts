import { Operators } from "../cluster/wishes.ts";
import { Prng } from "../prng.ts";
import type { JobSettings } from "../scenario.ts";
import { eventKind, type World } from "../world.ts";
import { JobArrives, JobBegins, stepsOfAJob } from "./job-rules.ts";
import type { LedTime } from "./led-time.ts";

/** How often it is looked whether somebody leads; µs. */
const lookEveryUs = 10_000;

/** Numbers of `due` beside those of all operators. */
const due = { boot: 4, begin: 5, arrive: 6, look: 7 } as const;

/** The first event of a run of jobs. */
export const firstDue: number = due.boot;

/** The name of a job. */
export function jobName(number: number): string {
  return `job-${number + 1}`;
}

/** People who begin jobs as the settings say, and ask again with the same id until they are answered. */
export class JobOperators extends Operators {
  readonly #seed: number;
  readonly #jobs: JobSettings;
  readonly #led: LedTime;

  constructor(seed: number, jobs: JobSettings, led: LedTime) {
    super(seed);
    this.#seed = seed;
    this.#jobs = jobs;
    this.#led = led;
  }

  override due(world: World, a: number, b: number): void {
    switch (b) {
      case due.boot:
        this.#boot(world);
        return;
      case due.begin:
        this.ask(world, JobBegins.type, { job: jobName(a), ms: this.#waitsOf(a) });
        return;
      case due.arrive:
        this.ask(world, JobArrives.type, { job: jobName(a) });
        return;
      case due.look:
        this.#led.look(world);
        world.queue.push(world.now + lookEveryUs, eventKind.wish, 0, due.look, null);
        return;
      default:
        super.due(world, a, b);
    }
  }

  #boot(world: World): void {
    const { count, fromUs, overUs, arrivals } = this.#jobs;
    for (let job = 0; job < count; job++) {
      const prng = new Prng(this.#seed, "job", job);
      const at = fromUs + prng.below(overUs);
      world.queue.push(at, eventKind.wish, job, due.begin, null);
      if (!prng.chance(arrivals)) continue;
      const total = this.#waitsOf(job).reduce((sum, ms) => sum + ms, 0);
      // Not before it was asked for; some come before the job waits for it, some after.
      const arrivesAt = at + prng.below(total * 1_000);
      world.queue.push(arrivesAt, eventKind.wish, job, due.arrive, null);
    }
    this.due(world, 0, due.look);
  }

  #waitsOf(job: number): readonly number[] {
    const prng = new Prng(this.#seed, "job waits", job);
    const { waitsMs } = this.#jobs;
    return Array.from({ length: stepsOfAJob }, () => waitsMs[prng.below(waitsMs.length)] ?? 1);
  }
}
