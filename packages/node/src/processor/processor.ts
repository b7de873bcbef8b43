import { type AttributesOf, HalonError, type Json, type Resource } from "@halon/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import type { BlobKeeper } from "../blob-keeper.ts";
import {
  ProcessorCore,
  type ProcessorEffect,
  processorTickMs,
  type WantedFile,
} from "../core/processor.ts";
import type { FromProcessor, PublishedEvent } from "../core/processor-messages.ts";
import type { Replica } from "../replica.ts";
import type { PartAnswers } from "../supervisor/parts.ts";
import { type ProcessorThread, processorEntry, startProcessorThread } from "./thread.ts";

/** The graph is looked at so soon after it has changed. */
const followMs = 20;
const fetchRetryMs = 1_000;
const statusMs = 2_000;
/** Events of this node that wait for the leader, beyond which processors publish no more. */
const waitingMax = 2_000;

export interface NodeProcessorOptions {
  readonly node: string;
  readonly replica: Pick<Replica, "view" | "events">;
  readonly blobs: Pick<BlobKeeper, "has" | "fetch" | "path">;
  readonly log: Logger;
  /** Events of this node that wait for the leader. */
  waiting(): number;
  emit(type: string, data: unknown): void;
  publish(event: PublishedEvent): void;
  /** The service has begun, again if it had before. */
  began(answers: PartAnswers): void;
  /** Where the thread's code is; the compiled one of this package by default. */
  readonly entry?: URL;
}

/** An event as it comes in at this node. */
export interface IncomingEvent {
  readonly type: string;
  readonly data: Json;
}

interface TakenType {
  /** Of the rule file that declares it. */
  readonly blob: string;
  readonly schema: z.ZodType;
}

/** The service `halon-processor` of a node: runs rule files over the events that come in here (rfc/0010, Processors). */
export class NodeProcessor {
  readonly #options: NodeProcessorOptions;
  readonly #core: ProcessorCore;
  readonly #begin = performance.now();
  readonly #tick: NodeJS.Timeout;
  readonly #changed = (keys: ReadonlySet<string>): void => this.#followSoon(keys);
  readonly #fetching = new Set<string>();
  readonly #asking = new Map<number, (files: Json) => void>();
  readonly #effects: ProcessorEffect[] = [];
  #isRunning = false;
  #isClosed = false;
  #types: ReadonlyMap<string, TakenType> = new Map();
  #thread: ProcessorThread | undefined;
  #armed: NodeJS.Timeout | undefined;
  #follow: NodeJS.Timeout | undefined;
  #lastRef = 0;

  constructor(options: NodeProcessorOptions) {
    this.#options = options;
    this.#core = new ProcessorCore(options.node, () => options.waiting() < waitingMax);
    this.#tick = setInterval(
      () => this.#run(this.#core.tick(this.#thread?.beats ?? 0, this.#now())),
      processorTickMs,
    );
    this.#tick.unref();
    options.replica.events.on("changed", this.#changed);
    this.#followGraph();
  }

  /** Whether events of the type are for processors, and not for the decision log. */
  takes(type: string): boolean {
    return this.#types.has(type);
  }

  /**
   * Takes the events, all or none of them; they are decided on as soon as it comes to them.
   *
   * Errors: HAL_SCHEMA_VIOLATION, HAL_EVENT_UNKNOWN, HAL_OVERLOADED when too many wait, HAL_CONFLICT when the file that takes
   * them is in quarantine here.
   */
  take(events: readonly IncomingEvent[]): void {
    const checked = events.map(({ type, data }, place) => {
      const parsed = this.#types.get(type)?.schema.safeParse(data);
      if (parsed?.success !== false) return { type, data };
      const which = events.length === 1 ? "" : `event ${place}: `;
      const flaws = z.prettifyError(parsed.error).slice(0, 2_000);
      throw new HalonError("HAL_SCHEMA_VIOLATION", `${which}${type}: ${flaws}`);
    });
    const offer = this.#core.offer(checked, this.#now());
    if (offer.type === "refused") throw new HalonError(offer.code, offer.reason);
    this.#run(offer.effects);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#tick);
    clearTimeout(this.#armed);
    clearTimeout(this.#follow);
    this.#options.replica.events.off("changed", this.#changed);
    await this.#thread?.stop();
  }

  /** In whole ms since this processor began. */
  #now(): number {
    return Math.floor(performance.now() - this.#begin);
  }

  /** Most changes of a graph are about other things. */
  #followSoon(keys: ReadonlySet<string>): void {
    if (![...keys].some((key) => key === "*" || key.startsWith("RuleFile/"))) return;
    this.#follow ??= setTimeout(() => {
      this.#follow = undefined;
      this.#followGraph();
    }, followMs);
  }

  #followGraph(): void {
    if (this.#isClosed) return;
    const { replica, blobs, node } = this.#options;
    const files = replica.view.list("RuleFile").filter(({ attributes }) => isWanted(attributes));
    this.#types = typesOf(files, this.#types);
    const told = replica.view.get("Processor", node)?.attributes.files ?? [];
    const has = (blob: string): boolean => blobs.has(blob);
    this.#run(this.#core.follow(files.map(wantedOf), has, this.#now(), told));
  }

  #run(effects: readonly ProcessorEffect[]): void {
    this.#effects.push(...effects);
    if (this.#isRunning || this.#isClosed) return;
    this.#isRunning = true;
    try {
      for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift())
        this.#perform(next);
    } finally {
      this.#isRunning = false;
    }
  }

  #perform(effect: ProcessorEffect): void {
    const { emit, publish, began, log } = this.#options;
    switch (effect.type) {
      case "start":
        this.#start();
        return;
      case "end":
        log.error("the processor hangs; its thread is ended");
        this.#thread?.end();
        return;
      case "tell":
        this.#thread?.tell(effect.message);
        return;
      case "fetch":
        void this.#fetch(effect.blob);
        return;
      case "emit":
        emit(effect.event, effect.data);
        return;
      case "publish":
        for (const event of effect.events) publish(event);
        return;
      case "arm": {
        clearTimeout(this.#armed);
        const look = (): void => this.#run(this.#core.look(this.#now()));
        this.#armed = setTimeout(look, effect.inMs);
        return;
      }
      case "began":
        began({ check: () => this.#check(), status: () => this.#status() });
        return;
    }
  }

  #start(): void {
    const thread = startProcessorThread({
      entry: this.#options.entry ?? processorEntry(),
      blobPath: (hash) => this.#options.blobs.path(hash),
      answered: (answer) => this.#answered(answer),
      ended: (reason, running) => {
        if (this.#thread !== thread || this.#isClosed) return;
        this.#thread = undefined;
        this.#options.log.error({ reason, running }, "the processor's thread has ended");
        this.#run(this.#core.ended(reason, running, this.#now()));
      },
    });
    this.#thread = thread;
  }

  #answered(answer: FromProcessor): void {
    if (answer.type !== "status") {
      this.#run(this.#core.answered(answer, this.#now()));
      return;
    }
    this.#asking.get(answer.ref)?.(answer.files);
    this.#asking.delete(answer.ref);
  }

  async #fetch(blob: string): Promise<void> {
    if (this.#fetching.has(blob)) return;
    this.#fetching.add(blob);
    try {
      await this.#options.blobs.fetch(blob);
    } catch (error) {
      const { message } = error as Error;
      this.#options.log.debug(
        { blob, reason: message },
        "could not fetch a rule file, trying again",
      );
      await new Promise((resolve) => setTimeout(resolve, fetchRetryMs));
    }
    this.#fetching.delete(blob);
    this.#followGraph();
  }

  #check(): ReturnType<PartAnswers["check"]> {
    const { state, queue, lagMs, files } = this.#core.view(this.#now());
    const out = files.filter((file) => file.state === "quarantined");
    const names = out.map(({ file }) => file).join(", ");
    const detail = `${files.length} rule files${out.length === 0 ? "" : `, in quarantine: ${names}`}`;
    const health = out.length === 0 ? "ok" : "warn";
    if (state === "starting") return { state, health: "unknown", detail };
    const more = `${queue} events wait, the first for ${lagMs} ms`;
    return { state: "running", health, detail, answer: `${detail}; ${more}` };
  }

  async #status(): Promise<Json> {
    const { files, ...view } = this.#core.view(this.#now());
    const loaded = await this.#ask();
    return { ...view, files: files as unknown as Json, rules: loaded };
  }

  #ask(): Promise<Json> {
    const thread = this.#thread;
    if (thread === undefined) return Promise.resolve(null);
    this.#lastRef += 1;
    const ref = this.#lastRef;
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#asking.delete(ref);
        resolve(null);
      }, statusMs);
      this.#asking.set(ref, (files) => {
        clearTimeout(late);
        resolve(files);
      });
      thread.tell({ type: "status", ref });
    });
  }
}

function isWanted({ runs, disabled, retired }: AttributesOf<"RuleFile">): boolean {
  return runs === "node" && disabled === undefined && retired !== true;
}

function wantedOf({ id, attributes }: Resource<"RuleFile">): WantedFile {
  const { blob, released = 0, hears = [], options, edition } = attributes;
  return {
    ...{ file: id, blob, released, hears },
    ...(options === undefined ? {} : { options }),
    ...(edition === undefined ? {} : { edition }),
  };
}

/** The types that the files take, each with the schema of the first file that declares it. */
function typesOf(
  files: readonly Resource<"RuleFile">[],
  before: ReadonlyMap<string, TakenType>,
): ReadonlyMap<string, TakenType> {
  const types = new Map<string, TakenType>();
  for (const { attributes } of files) {
    const { blob, hears = [], events } = attributes;
    for (const { type, schema } of events) {
      if (!hears.includes(type) || types.has(type)) continue;
      const known = before.get(type);
      const json = schema as Parameters<typeof z.fromJSONSchema>[0];
      types.set(type, known?.blob === blob ? known : { blob, schema: z.fromJSONSchema(json) });
    }
  }
  return types;
}
