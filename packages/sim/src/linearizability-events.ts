import type { Step } from "./linearizability-model.ts";

/** The end of an `EventList`, and the place before its first event. */
export const listEnd = 0;

/**
 * Calls and returns of required steps in order of time, calls before returns at one time.
 *
 * Steps leave the list and come back in opposite order, in constant time (dancing links). A step is named by its place in
 * what the list was made of.
 */
export class EventList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(steps: readonly Step[]) {
    const events = steps.flatMap(({ start, end }, place) => [
      { time: start, event: callOf(place) },
      { time: end, event: returnOf(place) },
    ]);
    events.sort((a, b) => a.time - b.time || Number(isReturn(a.event)) - Number(isReturn(b.event)));
    this.#next = new Int32Array(events.length + 1);
    this.#previous = new Int32Array(events.length + 1);
    let last = listEnd;
    for (const { event } of events) {
      this.#join(last, event);
      last = event;
    }
    this.#join(last, listEnd);
  }

  /** The event after another; `listEnd` starts and ends. */
  after(event: number): number {
    return this.#next[event] ?? listEnd;
  }

  remove(place: number): void {
    // The return first, so that the call, when it stood right before, points past both.
    for (const event of [returnOf(place), callOf(place)]) {
      this.#join(this.#previous[event] ?? listEnd, this.after(event));
    }
  }

  restore(place: number): void {
    for (const event of [callOf(place), returnOf(place)]) {
      this.#next[this.#previous[event] ?? listEnd] = event;
      this.#previous[this.after(event)] = event;
    }
  }

  #join(first: number, second: number): void {
    this.#next[first] = second;
    this.#previous[second] = first;
  }
}

/** Whether an event is the return of its step. */
export function isReturn(event: number): boolean {
  return event % 2 === 0;
}

/** The place of the step whose call or return an event is. */
export function placeOf(event: number): number {
  return (event - 1) >> 1;
}

function callOf(place: number): number {
  return 2 * place + 1;
}

function returnOf(place: number): number {
  return 2 * place + 2;
}
