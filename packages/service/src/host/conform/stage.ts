import type { CommandAction, JsonObject, ServiceManifest } from "@halon/protocol";
import type { ProcessId } from "../process/proc.ts";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { hashOf } from "../runtime/configuration.ts";
import { createRuntime } from "../runtime/create-runtime.ts";
import type { ActionOf, Runtime, RuntimeEvent, RuntimeOptions } from "../runtime/runtime.ts";
import { Finding, NotForIt } from "./finding.ts";
import { endTraces, familyOf, type Listener, listenersOf, type Trace, tracesOf } from "./left.ts";

/** What the checks of one service file have in common. */
export interface StageOptions {
  readonly manifest: ServiceManifest;
  /** With the defaults of the schema. */
  readonly config: JsonObject;
  readonly runners: RuntimeOptions["runners"];
  /** The stage's own. */
  readonly directory: string;
  /** Above it; what a service starts is known by it. */
  readonly base: string;
  blobPath(hash: string): string;
}

/** A runner that is looked at while it works. */
export interface Tap {
  readonly spec: RunnerSpec;
  readonly runner: Runner;
  readonly told: readonly RunnerEvent[];
  /** How often the runtime has ended it by force. */
  kills: number;
}

/** One start on the stage. */
export interface Started {
  readonly service: string;
  readonly instance: string;
  readonly tap: Tap;
  readonly action: ActionOf<"StartService">;
  readonly readyMs: number;
}

/** What may differ between the starts on a stage. */
export interface StartChanges {
  readonly service?: string;
  readonly config?: JsonObject;
  readonly manifest?: ServiceManifest;
}

/** An event that ends an instance. */
export type EndEvent = Extract<
  RuntimeEvent,
  { type: "ServiceFailed" | "ServiceExited" | "ServiceStopped" }
>;

type Answer = Extract<RuntimeEvent, { data: { command?: string | undefined } }>;

/** What a deadline of the type is allowed on top before it counts as missed by the runtime. */
const graceMs = 5_000;
const node = "conform";

/** A runtime of its own for one check, with nothing in it. */
export class Stage {
  readonly options: StageOptions;
  readonly events: RuntimeEvent[] = [];
  readonly taps: Tap[] = [];
  /** Processes that were seen to descend from an instance. */
  readonly #known = new Map<number, ProcessId>();
  readonly #watchers = new Set<() => void>();
  readonly #runtime: Runtime;
  #commands = 0;
  #incarnation = 0;

  constructor(options: StageOptions) {
    this.options = options;
    const { runners, directory, blobPath } = options;
    const tapped = Object.entries(runners).map(([kind, start]) => [kind, this.#tapped(start)]);
    this.#runtime = createRuntime({
      node,
      dataDir: directory,
      blobPath,
      emit: (event) => {
        this.events.push(event);
        for (const watcher of [...this.#watchers]) watcher();
      },
      runners: Object.fromEntries(tapped) as RuntimeOptions["runners"],
      now: () => performance.now(),
    });
  }

  get manifest(): ServiceManifest {
    return this.options.manifest;
  }

  /** The start of the next incarnation, which is not carried out. */
  nextStart({ service, config, manifest }: StartChanges = {}): ActionOf<"StartService"> {
    this.#incarnation += 1;
    const type = manifest ?? this.manifest;
    const name = service ?? type.name;
    const given = config ?? this.options.config;
    return {
      type: "StartService",
      service: name,
      instance: `${name}@${node}#${this.#incarnation}`,
      manifest: type,
      config: given,
      configHash: hashOf(given),
    };
  }

  /** Starts it and waits until it is ready. Throws a finding with the reason when it could not start. */
  async start(changes: StartChanges = {}): Promise<Started> {
    const action = this.nextStart(changes);
    const beganAt = performance.now();
    const answer = await this.ask(action, action.manifest.startTimeoutMs + graceMs);
    this.requireStarted(action.instance, answer);
    this.note();
    return {
      service: action.service,
      instance: action.instance,
      tap: this.tapOf(action.instance),
      action,
      readyMs: Math.round(performance.now() - beganAt),
    };
  }

  requireStarted(instance: string, answer: Answer): void {
    if (answer.type === "ServiceStarted") return;
    const exited = this.endOf(instance);
    if (exited?.type === "ServiceExited") throw this.#done(exited);
    throw new Finding(`it did not start: ${reasonOf(answer)}`);
  }

  tapOf(instance: string): Tap {
    const tap = this.taps.findLast(({ spec }) => spec.instance === instance);
    if (tap === undefined) throw new Finding(`nothing was started for ${instance}`);
    return tap;
  }

  /** Gives a command and waits for what answers it. Throws a finding when nothing does. */
  async ask(action: CommandAction, withinMs: number): Promise<Answer> {
    this.#commands += 1;
    const command = `${this.#commands}.0`;
    this.#runtime.perform(action, command);
    const answer = await this.until(
      (event): event is Answer => "command" in event.data && event.data.command === command,
      withinMs,
    );
    if (answer !== undefined) return answer;
    throw new Finding(`${action.type} was not answered within ${withinMs} ms`);
  }

  /** Asks about a running instance; throws a finding when it does not run any more. */
  async askRunning(
    action: CommandAction & { instance: string },
    withinMs: number,
  ): Promise<Answer> {
    this.requireRunning(action.instance);
    const answer = await this.ask(action, withinMs);
    if (answer.type === "CommandRefused") this.requireRunning(action.instance);
    return answer;
  }

  requireRunning(instance: string): void {
    const end = this.endOf(instance);
    if (end === undefined) return;
    if (end.type === "ServiceExited") throw this.#done(end);
    throw new Finding(`it ended by itself: ${reasonOf(end)}`);
  }

  /** How the instance ended; undefined while it has not. */
  endOf(instance: string): EndEvent | undefined {
    return this.events.find((event): event is EndEvent => isEndOf(instance, event));
  }

  /** Waits for the end of the instance; undefined when it has none by then. */
  untilEnd(instance: string, withinMs: number): Promise<EndEvent | undefined> {
    return this.until((event): event is EndEvent => isEndOf(instance, event), withinMs);
  }

  /** The first event of the kind, seen already or still to come. */
  until<T extends RuntimeEvent>(
    isWanted: (event: RuntimeEvent) => event is T,
    withinMs: number,
  ): Promise<T | undefined> {
    return new Promise((resolve) => {
      const settle = (event: T | undefined) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(event);
      };
      const look = () => {
        const found = this.events.find(isWanted);
        if (found !== undefined) settle(found);
      };
      const timer = setTimeout(() => settle(undefined), withinMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Stops it; what it had is noted before. */
  async stop({
    service,
    instance,
    tap,
  }: Started): Promise<{ readonly ms: number; readonly kills: number }> {
    this.note();
    const beganAt = performance.now();
    const { stopTimeoutMs } = this.manifest;
    const action = { type: "StopService", service, instance, reason: "conform" } as const;
    const answer = await this.ask(action, stopTimeoutMs + graceMs);
    if (answer.type !== "ServiceStopped")
      throw new Finding(`it was not stopped: ${reasonOf(answer)}`);
    return { ms: Math.round(performance.now() - beganAt), kills: tap.kills };
  }

  /** Calls a message as another service would. */
  call(instance: string, message: string, args: Parameters<Runtime["call"]>[2], timeoutMs: number) {
    return this.#runtime.call(instance, message, args, timeoutMs);
  }

  /** Notes which processes there are, so that one that changes all about itself is still known. */
  note(): void {
    const pids = this.taps.flatMap(({ runner }) =>
      runner.osPid === undefined ? [] : [runner.osPid],
    );
    for (const id of pids.flatMap(familyOf)) this.#known.set(id.pid, id);
  }

  /** What runs of it. */
  traces(): readonly Trace[] {
    return tracesOf(this.options.base, [...this.#known.values()]);
  }

  /** What it listens on; a thread listens in the name of this process. */
  listeners(): readonly Listener[] {
    return listenersOf([process.pid, ...this.traces().map(({ pid }) => pid)]);
  }

  /** Ends all; what is left in spite of that is killed. */
  async close(isGentle: boolean): Promise<void> {
    this.note();
    if (!isGentle) for (const { runner } of this.taps) runner.kill();
    await this.#runtime.shutdown({ keep: false });
    await endTraces(this.options.base, [...this.#known.values()]);
  }

  #done(end: EndEvent): NotForIt {
    return new NotForIt(`its work was done before that: ${reasonOf(end)}`);
  }

  #tapped(startRunner: StartRunner): StartRunner {
    return (spec, listener) => {
      const told: RunnerEvent[] = [];
      const runner = startRunner(spec, (event) => {
        told.push(event);
        listener(event);
      });
      const tap: Tap = { spec, runner, told, kills: 0 };
      this.taps.push(tap);
      return new Proxy(runner, {
        get(target, name) {
          if (name === "kill") tap.kills += 1;
          const value: unknown = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    };
  }
}

/** What an event says of why. */
export function reasonOf({ data }: RuntimeEvent): string {
  const { code, reason } = data as { readonly code?: string; readonly reason?: string };
  return [code, reason].filter((part) => part !== undefined).join(": ") || "without a reason";
}

function isEndOf(instance: string, event: RuntimeEvent): boolean {
  const isEnd =
    event.type === "ServiceFailed" ||
    event.type === "ServiceExited" ||
    event.type === "ServiceStopped";
  return isEnd && event.data.instance === instance;
}
