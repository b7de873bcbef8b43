import type { MessagePort } from "node:worker_threads";
import type { ServiceData } from "./serve.ts";

/** What a thread is told first: what it is for. */
export type ThreadData =
  /** It runs one service and ends with it. `port` is that of `serve`. */
  | {
      readonly type: "own";
      readonly words: Words;
      readonly service: ServiceData;
      readonly port: MessagePort;
    }
  /** It is told of each service that it runs, and goes on without any. */
  | { readonly type: "shared"; readonly words: Words };

/** What a shared thread is told later. */
export type SharedMessage =
  | {
      readonly type: "serve";
      readonly slot: number;
      readonly service: ServiceData;
      readonly port: MessagePort;
    }
  /** Ends a service that did not end itself. */
  | { readonly type: "drop"; readonly slot: number };

/** Memory that a thread and its host share; `wordCount` numbers of 32 bits. */
export type Words = SharedArrayBuffer;

/** Positions in the words. */
export const wordOf = {
  /** Grows with each turn of the thread's beat. */
  beat: 0,
  /** Sampled memory, in KiB. */
  memoryKib: 1,
  /** Slot of the service whose code the thread ran last, in a shared thread; 0: none of them. */
  running: 2,
  /** Slot of the service that has allocated the most of late; 0: nobody has. */
  greediest: 3,
} as const;

const wordCount = 4;

/** The words of a new thread. */
export function createWords(): Words {
  return new SharedArrayBuffer(wordCount * Int32Array.BYTES_PER_ELEMENT);
}
