import type { RaftOptions } from "./state.ts";

/** For ticks of 15 ms: heartbeats every 75 ms, elections after 300 to 600 ms. */
export const defaultOptions: RaftOptions = {
  heartbeatTicks: 5,
  electionTicksMin: 20,
  electionTicksMax: 40,
  leaderLostTicksMax: 10,
  appendBytesMax: 1024 * 1024,
  inflightMax: 64,
  uncommittedBytesMax: 64 * 1024 * 1024,
  promoteLagMax: 1000,
  leaseDrift: null,
};
