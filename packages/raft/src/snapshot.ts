import type { Configuration } from "./configuration.ts";

/** What a snapshot stands for: all entries up to `index`, and the configuration as of it (Raft §7). */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}
