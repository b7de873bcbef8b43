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
  /** The node that it is linked to does not lead: asks for another until one has taken this node in. */
  refused(): void {
    throw new Error("not yet");
  }

  /** A leader has taken this node in. */
  attached(): void {
    throw new Error("not yet");
  }

  /** `candidates` are addresses of nodes that may know who leads; `isLinked`: the control link to one is up. */
  look(_candidates: readonly string[], _isLinked: boolean): readonly SearchEffect[] {
    throw new Error("not yet");
  }

  /** The node at the address names that one; null: none, or it did not answer. */
  answered(_address: string, _named: string | null, _isLinked: boolean): readonly SearchEffect[] {
    throw new Error("not yet");
  }
}
