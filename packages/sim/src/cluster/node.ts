import type { Thread } from "./threads.ts";

/** What waits for the main thread of a node. */
export type MainInput = { readonly type: "due"; readonly key: string };

/** What one start of `halond` consists of, besides the coordinator and the member. */
export interface SimHalond extends Thread<MainInput> {
  /** Events that have not taken effect. */
  readonly eventsWaiting: number;
}
