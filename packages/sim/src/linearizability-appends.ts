import type { Json } from "@halon/protocol";

/** An append of one element to the list of a key. Elements of a list are unique in a history. */
export interface AppendOperation {
  readonly type: "append";
  readonly id: string;
  readonly key: string;
  readonly value: Json;
  readonly start: number;
  readonly end: number;
  readonly outcome: "ok" | "refused" | "unknown";
}

/** A read of a whole list; an absent one is empty. */
export interface ListReadOperation {
  readonly type: "read";
  readonly id: string;
  readonly key: string;
  readonly values: readonly Json[];
  readonly start: number;
  readonly end: number;
}

/** One operation of a recorded history of lists. */
export type ListOperation = AppendOperation | ListReadOperation;

/** What is said of a history of lists: of the first key that is wrong, which operations contradict each other. */
export type AppendVerdict =
  | { readonly type: "linearizable" }
  | {
      readonly type: "violation";
      readonly key: string;
      readonly reason: string;
      readonly ids: readonly string[];
    };

/** Decides whether a history of appends to lists is linearizable, exactly and in linear time. */
export function checkAppends(_history: readonly ListOperation[]): AppendVerdict {
  throw new Error("not built yet");
}
