import { type GraphView, type Health, keyOf, toErrorData } from "@halon/protocol";
import {
  type ForeignAnswer,
  type ForeignEffect,
  type ForeignInstance,
  ForeignWatch,
  turnMs,
} from "../core/foreign-watch.ts";

export interface ForeignWatchingOptions {
  readonly node: string;
  view(): GraphView;
  emit(type: string, data: unknown): void;
  /** Asks the instance's node for its check; one attempt, which ends within a few seconds of the deadline. */
  check(
    of: { readonly service: string; readonly node: string; readonly instance: string },
    withinMs: number,
  ): Promise<{ readonly health: Health; readonly detail?: string | undefined }>;
}

/** Asks for the instances of other nodes that this node's supervisor is set over, as the graph has them. */
export class ForeignWatching {
  readonly #options: ForeignWatchingOptions;
  readonly #watch = new ForeignWatch();
  readonly #timer: NodeJS.Timeout;
  #instances: readonly ForeignInstance[] = [];
  #seen: { readonly view: GraphView; readonly revision: number } | undefined;
  #isClosed = false;

  constructor(options: ForeignWatchingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#turn(), turnMs);
    this.#timer.unref();
    this.#turn();
  }

  /** How many instances are watched. */
  get size(): number {
    return this.#watch.size;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #turn(): void {
    const { node, view } = this.#options;
    const graph = view();
    if (this.#seen?.view !== graph || this.#seen.revision !== graph.revision) {
      this.#seen = { view: graph, revision: graph.revision };
      this.#instances = foreignInstances(graph, node);
    }
    this.#perform(this.#watch.turn(performance.now(), this.#instances));
  }

  #perform(effects: readonly ForeignEffect[]): void {
    const { node: by, emit } = this.#options;
    for (const effect of effects) {
      const { node, service, instance } = effect.of;
      const at = { node, service, instance, by };
      if (effect.type === "ask") void this.#ask(effect);
      else if (effect.type === "trust") emit("InstanceTrusted", at);
      else emit("InstanceDoubted", { ...at, reason: effect.reason.slice(0, 4_000) });
    }
  }

  async #ask({ of, question, withinMs }: ForeignEffect & { type: "ask" }): Promise<void> {
    const { service, node, instance } = of;
    const answer = await this.#options.check({ service, node, instance }, withinMs).then(
      ({ health, detail }) => answerOf(health, detail),
      (error: unknown) => failureOf(error, withinMs),
    );
    if (!this.#isClosed)
      this.#perform(this.#watch.answered(instance, question, performance.now(), answer));
  }
}

/** Of a node that is not up nobody asks: whether it is lost is judged by its beats. */
function foreignInstances(view: GraphView, own: string): readonly ForeignInstance[] {
  return view
    .out(keyOf("Supervisor", own), "monitors", "ServiceInstance")
    .filter(({ attributes: { node, state } }) => {
      const runs = state === "running" || state === "degraded";
      return runs && node !== own && view.get("Node", node)?.attributes.state === "up";
    })
    .map(({ id, attributes: { service, node, type, doubts = [] } }) => ({
      ...{ instance: id, service, node },
      checkTimeoutMs: view.get("Service", type)?.attributes.checkTimeoutMs ?? 0,
      isDoubted: doubts.some(({ by }) => by === own),
    }));
}

function answerOf(health: Health, detail: string | undefined): ForeignAnswer {
  if (health === "ok" || health === "warn") return { ok: true };
  return { ok: false, reason: detail ?? `its check says ${health}` };
}

function failureOf(error: unknown, withinMs: number): ForeignAnswer {
  const { code, message } = toErrorData(error);
  const isLate = code === "HAL_TIMEOUT";
  return { ok: false, reason: isLate ? `no answer within ${withinMs / 1_000} s` : message };
}
