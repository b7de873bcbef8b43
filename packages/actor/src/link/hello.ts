/** Classes of traffic between two nodes; each has its own connection, so bulk cannot delay control. */
export type LinkClass = "control" | "bulk";

/** First frame in each direction. */
export interface Hello {
  readonly protocol: 1;
  /** Null before the node has joined a cluster; it then fits any. */
  readonly cluster: string | null;
  readonly node: string;
  readonly incarnation: number;
  readonly class: LinkClass;
  /** Where the node listens, such as `10.0.0.1:7411`. */
  readonly address: string;
}
