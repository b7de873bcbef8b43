/** What an observer concludes about another node. */
export interface Observation {
  readonly type: "NodeSuspected" | "NodeTrusted" | "NodeLost";
  readonly node: string;
  readonly incarnation: number;
  /** One sentence without its end. */
  readonly reason: string;
  /** What the conclusion rests on, a sentence each. */
  readonly evidence: readonly string[];
}
