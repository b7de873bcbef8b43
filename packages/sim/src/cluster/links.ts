/** What crosses a link as JSON text. */
export interface LinkFrame {
  readonly link: SimLink;
  /** Slot of the sender. */
  readonly from: number;
  readonly text: string;
}

/** What happens to a link itself. */
export interface LinkEvent {
  readonly link: SimLink;
  readonly type: "opened" | "refused" | "closed" | "look";
  /** Slot of the end that it happens to. */
  readonly at: number;
  readonly reason: string;
}

/** One connection that a node opened to another, or is opening. Ordered in each direction. */
export interface SimLink {
  /** Slots. */
  readonly from: number;
  readonly to: number;
  /** Unique in a run. */
  readonly number: number;
}
