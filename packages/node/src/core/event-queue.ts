import type { JsonObject } from "@halon/protocol";

/** An event of this node, before it gets its number. */
export interface NodeEvent {
  readonly type: string;
  readonly version: number;
  readonly data: JsonObject;
  /** The rule on this node that published it, `<file>/<rule>`. */
  readonly by?: string;
}

export interface NumberedNodeEvent {
  readonly sequence: number;
  readonly event: NodeEvent;
}

/** Events that wait for an acknowledgement or for their number, at most. */
export const eventsWaitingMax = 20_000;
/** Room beyond that for the node's own coming and going: without these nothing else of it would count again. */
export const presenceWaitingMax = 100;

/** Types that give way to others, and of which only the latest of an instance is worth sending. */
const telemetry: ReadonlySet<string> = new Set(["ServiceHealthChanged"]);

/** Types for which the reserve is. */
const presence: ReadonlySet<string> = new Set(["NodeJoined", "NodeInventory", "NodeLeft"]);

/**
 * The events of one node on their way to the coordinator.
 *
 * They get their numbers when they are sent, failures before telemetry; a number once given is kept until the
 * event is acknowledged. Holds no clock and no connection.
 */
export class EventQueue {
  #lastSequence = 0;
  #urgent: NodeEvent[] = [];
  #telemetry: NodeEvent[] = [];
  #unacknowledged: NumberedNodeEvent[] = [];

  /** Events sent and not acknowledged, and events that wait for their number. */
  get size(): number {
    return this.#unacknowledged.length + this.#urgent.length + this.#telemetry.length;
  }

  get unacknowledged(): readonly NumberedNodeEvent[] {
    return this.#unacknowledged;
  }

  /** The number of the last event that got one; 0 before the first. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** False when the queue is full; the caller must not drop the event without saying so. */
  add(event: NodeEvent): boolean {
    const reserve = presence.has(event.type) ? presenceWaitingMax : 0;
    if (this.size >= eventsWaitingMax + reserve) return false;
    if (!telemetry.has(event.type)) {
      this.#urgent.push(event);
      return true;
    }
    const instance = event.data["instance"];
    this.#telemetry = this.#telemetry.filter((other) => other.data["instance"] !== instance);
    this.#telemetry.push(event);
    return true;
  }

  /** Gives every waiting event its number, and returns these. */
  number(): readonly NumberedNodeEvent[] {
    const numbered = [...this.#urgent, ...this.#telemetry].map((event) => {
      this.#lastSequence += 1;
      return { sequence: this.#lastSequence, event };
    });
    this.#urgent = [];
    this.#telemetry = [];
    this.#unacknowledged.push(...numbered);
    return numbered;
  }

  /** All up to `sequence` has taken effect. */
  acknowledge(sequence: number): void {
    const kept = this.#unacknowledged.findIndex((numbered) => numbered.sequence > sequence);
    this.#unacknowledged = kept === -1 ? [] : this.#unacknowledged.slice(kept);
  }

  /**
   * The coordinator has taken everything up to `sequence` of this incarnation, and nothing behind it.
   *
   * When it is further back than what was acknowledged, its log is a new one: what waits gets new numbers.
   */
  resume(sequence: number): readonly NumberedNodeEvent[] {
    this.acknowledge(sequence);
    const first = this.#unacknowledged[0]?.sequence ?? this.#lastSequence + 1;
    if (first !== sequence + 1) {
      this.#unacknowledged = this.#unacknowledged.map(({ event }, position) => ({
        sequence: sequence + 1 + position,
        event,
      }));
      this.#lastSequence = sequence + this.#unacknowledged.length;
    }
    return this.#unacknowledged;
  }
}
