import type { Configuration } from "./configuration.ts";
import type { RaftState } from "./state.ts";

/** The configuration as of `index`, for the snapshot at it; `index` is that of the log's snapshot or later. */
export function configurationAt(_state: RaftState, _index: number): Configuration {
  throw new Error("to come");
}
