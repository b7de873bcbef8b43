import { HalonError } from "@halon/protocol";
import { type Answer, lookEveryMs, Site, type SiteEffect, type Spawn } from "../../core/index.ts";
import type { Found } from "../process/index.ts";
import type { RunnerEvent } from "../runner.ts";
import { askAlive, askHealth, askStatus, reasonOf, reconfigure } from "./asking.ts";
import { checkConfig } from "./configuration.ts";
import { type Hosted, heardOf, hostedOf } from "./hosted.ts";
import type { RuntimeEvent, RuntimeOptions } from "./runtime.ts";
import { createStart } from "./starting.ts";

type Effects = readonly SiteEffect[];
type Input = (now: number) => Effects;
/** An effect that is about an instance that is here. */
type EffectOn = Extract<SiteEffect, { instance: string }>;

/** Feeds the site of a node with what its runners and its clock say, and carries out what it asks for. */
export class SiteDriver {
  readonly site: Site;
  readonly #options: RuntimeOptions;
  readonly #start: ReturnType<typeof createStart>;
  readonly #hosted = new Map<string, Hosted>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #probes = new Map<number, (answer: Answer | null) => void>();
  /** What a carried out effect said at once; it is told after the effects that came with it. */
  readonly #inputs: Input[] = [];
  #isBusy = false;
  #lastProbe = 0;
  #looking: NodeJS.Timeout;
  #drained: (() => void)[] = [];

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#start = createStart(options);
    this.site = new Site({ node: options.node, checkConfig }, options.now());
    this.#looking = this.#look();
  }

  /** Gives the site an input and carries out its effects, before it returns. */
  feed(input: Input): void {
    this.#inputs.push(input);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        this.#carryOut(next(this.#options.now()));
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** What is kept of an instance. */
  hosted(instance: string): Hosted | undefined {
    return this.#hosted.get(instance);
  }

  /** Takes over what an earlier `halond` has left. */
  adopt(found: Found): void {
    // What is gone or was a stray is missing in the inventory, and the coordinator acts on that.
    if (found.type !== "adopted") return;
    const { spec } = found;
    const hearing = this.#hearing(spec.instance);
    this.#hosted.set(spec.instance, hostedOf(spec, found.watch(hearing.listener)));
    this.feed((now) => this.site.adopted(spec, now));
    hearing.begin();
  }

  /** Begins to watch anew. */
  supervise(isMonitored: (instance: string) => boolean): void {
    clearInterval(this.#looking);
    this.feed((now) => this.site.supervise(isMonitored, now));
    this.#looking = this.#look();
  }

  /** Asks an instance on behalf of others; null: it does not run. */
  probe(instance: string): Promise<Answer | null> {
    this.#lastProbe += 1;
    const probe = this.#lastProbe;
    return new Promise((resolve) => {
      this.#probes.set(probe, resolve);
      this.feed((now) => this.site.probe(instance, probe, now));
    });
  }

  /** Resolves when the site is drained. */
  shutdown(keep: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.feed((now) => this.site.shutdown(keep, now));
    });
  }

  #look(): NodeJS.Timeout {
    const look = () => {
      const samples = this.site.watched().flatMap((instance) => {
        const runner = this.#hosted.get(instance)?.runner;
        if (runner === undefined) return [];
        return [{ instance, silentMs: runner.silentMs(), memoryMb: runner.memoryMb() }];
      });
      this.feed((now) => this.site.look(samples, now));
    };
    return setInterval(look, lookEveryMs).unref();
  }

  #carryOut(effects: Effects): void {
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: SiteEffect): void {
    switch (effect.type) {
      case "spawn":
        this.#carryOut(this.#spawn(effect.spawn));
        return;
      case "emit":
        this.#options.emit(this.#withOsPid(effect.event));
        return;
      case "arm": {
        const { key, inMs } = effect;
        clearTimeout(this.#timers.get(key));
        const due = () => {
          this.#timers.delete(key);
          this.feed((now) => this.site.due(key, now));
        };
        this.#timers.set(key, setTimeout(due, inMs));
        return;
      }
      case "disarm":
        clearTimeout(this.#timers.get(effect.key));
        this.#timers.delete(effect.key);
        return;
      case "probed":
        this.#probes.get(effect.probe)?.(effect.answer);
        this.#probes.delete(effect.probe);
        return;
      case "ended":
        this.#hosted.delete(effect.instance);
        return;
      case "drained":
        clearInterval(this.#looking);
        for (const resolve of this.#drained.splice(0)) resolve();
        return;
      default: {
        const hosted = this.#hosted.get(effect.instance);
        if (hosted !== undefined) this.#performOn(hosted, effect);
      }
    }
  }

  #performOn(hosted: Hosted, effect: Exclude<EffectOn, { type: "ended" }>): void {
    const { runner } = hosted;
    switch (effect.type) {
      case "requestStop":
        runner.requestStop();
        return;
      case "kill":
        runner.kill();
        return;
      case "release": {
        const livesOn = runner.release();
        this.feed((now) => this.site.released(effect.instance, livesOn, now));
        return;
      }
      case "renew":
        runner.renew?.(effect.untilMs);
        return;
      case "answerTrouble":
        runner.answerTrouble?.(effect.ref, effect.answer);
        return;
      default:
        void this.#ask(hosted, effect).then((input) => this.feed(input));
    }
  }

  /** What to tell the site when it has answered. */
  async #ask(hosted: Hosted, effect: Extract<EffectOn, { ref: number }>): Promise<Input> {
    const { ref, timeoutMs } = effect;
    switch (effect.type) {
      case "askHealth": {
        const answer = await askHealth(hosted, timeoutMs);
        return (now) => this.site.healthAnswered(ref, answer, now);
      }
      case "askAlive": {
        const answer = await askAlive(hosted, timeoutMs);
        return (now) => this.site.aliveAnswered(ref, answer, now);
      }
      case "askStatus": {
        const answer = await askStatus(hosted, timeoutMs);
        return () => this.site.statusAnswered(ref, answer);
      }
      case "reconfigure": {
        const answer = await reconfigure(hosted, effect.config, timeoutMs);
        return () => this.site.reconfigureAnswered(ref, answer);
      }
    }
  }

  #spawn(spawn: Spawn): Effects {
    const { instance } = spawn;
    const hearing = this.#hearing(instance);
    try {
      this.#hosted.set(instance, this.#start(spawn, hearing.listener));
    } catch (error) {
      const code = error instanceof HalonError ? error.code : "HAL_SERVICE_START";
      return this.site.spawnFailed(instance, code, reasonOf(error), this.#options.now());
    }
    const effects = this.site.spawned(instance, this.#options.now());
    hearing.begin();
    return effects;
  }

  /** What a runner reports before the site knows that it is there waits until `begin`. */
  #hearing(instance: string) {
    const early: RunnerEvent[] = [];
    const hear = (event: RunnerEvent): void =>
      this.feed((now) => {
        const hosted = this.#hosted.get(instance);
        return hosted === undefined ? [] : this.site.heard(instance, heardOf(hosted, event), now);
      });
    let report = (event: RunnerEvent): void => void early.push(event);
    return {
      listener: (event: RunnerEvent) => report(event),
      begin() {
        report = hear;
        for (const event of early) hear(event);
      },
    };
  }

  #withOsPid(event: RuntimeEvent): RuntimeEvent {
    if (event.type !== "ServiceStarted") return event;
    const osPid = this.#hosted.get(event.data.instance)?.runner.osPid;
    return osPid === undefined ? event : { ...event, data: { ...event.data, osPid } };
  }
}
