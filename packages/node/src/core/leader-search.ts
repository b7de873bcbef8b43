import { chooseLeader } from "./leader-choice.ts";

/** The driver gives `look` so often, in ms. */
export const lookEveryMs = 100;

/** What the driver of a search has to do. */
export type SearchEffect =
  /** Ask the node at that address who leads, with a deadline of 1 s; ends as `answered`. */
  | { readonly type: "ask"; readonly address: string }
  /** Move the links to that address; told the same again, they do not wait to try again. */
  | { readonly type: "follow"; readonly address: string };

/** How a satellite finds the node that leads: whom it asks, and when it goes where. */
export class LeaderSearch {
  /** The last answers of the nodes that were asked. */
  readonly #answers = new Map<string, string | null>();
  readonly #asked = new Set<string>();
  #isLooking = true;

  /** The node that it is linked to does not lead: asks for another until one has taken this node in. */
  refused(): void {
    this.#isLooking = true;
  }

  /** A leader has taken this node in. */
  attached(): void {
    this.#isLooking = false;
    this.#answers.clear();
  }

  /** Whether `look` has nothing to ask. */
  isDone(isLinked: boolean): boolean {
    return isLinked && !this.#isLooking;
  }

  /**
   * `candidates` are addresses of nodes that may know who leads; `isLinked`: the control link to one is up.
   *
   * Who is being asked is not asked again, so that one that hangs holds up nobody.
   */
  look(candidates: readonly string[], isLinked: boolean): readonly SearchEffect[] {
    if (this.isDone(isLinked)) return [];
    const free = [...new Set(candidates)].filter((address) => !this.#asked.has(address));
    for (const address of free) this.#asked.add(address);
    return free.map((address) => ({ type: "ask", address }));
  }

  /** The node at the address names that one; null: none, or it did not answer. */
  answered(address: string, named: string | null, isLinked: boolean): readonly SearchEffect[] {
    this.#asked.delete(address);
    this.#answers.set(address, named);
    if (this.isDone(isLinked)) return [];
    const leader = chooseLeader(this.#answers);
    return leader === null ? [] : [{ type: "follow", address: leader }];
  }
}
