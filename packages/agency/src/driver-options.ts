import type { HalonError } from "@halon/protocol";
import type { Configuration, RaftOptions } from "@halon/raft";
import type { Peers } from "./peers.ts";

/** What a driver is given, besides its log. */
export interface DriverOptions {
  readonly id: string;
  readonly cluster: string;
  readonly raft: RaftOptions;
  readonly agencySize: number;
  readonly compactionStep: number;
  readonly compactionKeep: number;
  readonly compactionBytesMin: number;
  /** At index 0. */
  readonly founders: Configuration;
  readonly peers: Peers;
  readonly where: string;
  /** The newest configuration, committed or not, has changed. */
  readonly onConfiguration: (configuration: Configuration) => void;
  /** An input was carried out: what the host is told may have changed. */
  readonly onStep: () => void;
  readonly onRemoved: () => void;
  /** The disk refused; the driver has answered all that waited and does nothing more. */
  readonly onDiskError: (error: HalonError) => void;
}
