import { createGraph, fromJSON, type Graph, query, toDot, toGraphml, toJSON } from "@halon/graph";
import {
  canonicalJson,
  type EventEntry,
  type GraphView,
  type Json,
  type Resource,
} from "@halon/protocol";
import { EventEmitter } from "eventemitter3";
import type { ReplicaDelta } from "./core/index.ts";

export interface ReplicaEvents {
  /** The graph has changed; the keys of what was put or removed. */
  changed: [keys: ReadonlySet<string>];
  entries: [entries: readonly EventEntry[]];
  /** Records were passed over: their entries are in the history only. */
  jumped: [];
}

/** This node's copy of the graph, for reading. */
export class Replica {
  readonly events = new EventEmitter<ReplicaEvents>();
  #graph: Graph = createGraph();
  #index = 0;
  #epoch = 0;
  #heardAt: number;
  readonly #now: () => number;

  /** `now` is monotonic, in ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#heardAt = now();
  }

  get view(): GraphView {
    return this.#graph;
  }

  /** The last record that is in here. */
  get index(): number {
    return this.#index;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get stalenessMs(): number {
    return Math.max(0, Math.round(this.#now() - this.#heardAt));
  }

  /** The leader says that `index` is its last record: when that is in here, all up to now is. */
  heard(index: number): void {
    if (index <= this.#index) this.#heardAt = this.#now();
  }

  reset(graph: Json, index: number, epoch: number): void {
    this.#graph = fromJSON(graph);
    this.#index = index;
    this.#epoch = epoch;
    this.#heardAt = this.#now();
    this.events.emit("changed", new Set(["*"]));
    this.events.emit("jumped");
  }

  /** False when a delta is missing in between: the replica has to be fetched anew. */
  apply(delta: ReplicaDelta): boolean {
    this.#heardAt = this.#now();
    if (delta.index <= this.#index) return true;
    if (delta.index !== this.#index + 1) return false;
    if (delta.changes.length > 0)
      this.#graph.apply({ revision: delta.revision, changes: delta.changes });
    this.#index = delta.index;
    this.#epoch = delta.epoch;
    const keys = delta.changes.flatMap((change) => ("key" in change ? [change.key as string] : []));
    this.events.emit("changed", new Set(keys));
    return true;
  }

  toText(): string {
    return canonicalJson({ index: this.#index, epoch: this.#epoch, graph: toJSON(this.#graph) });
  }

  query(expression: string): readonly Resource[] {
    return query(this.#graph, expression);
  }

  export(format: "json" | "dot" | "graphml"): string {
    if (format === "dot") return toDot(this.#graph);
    if (format === "graphml") return toGraphml(this.#graph);
    return canonicalJson(toJSON(this.#graph));
  }
}
