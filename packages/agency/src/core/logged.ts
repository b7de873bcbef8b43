/** One log entry for `state` and `poll`. */
export interface LoggedTransaction {
  readonly index: number;
  readonly term: number;
  readonly operations: string;
  readonly clientId: string | null;
  readonly wallTime: number;
}
