import type { Json, JsonObject } from "@halon/protocol";

/** An event of this node that a processor takes; `at` is the processor's clock in ms when it came in. */
export interface ArrivedEvent {
  readonly type: string;
  readonly data: Json;
  readonly at: number;
}

/** A rule file that the processor's thread is to have. `version` changes whenever it has to begin anew. */
export interface FileToLoad {
  readonly file: string;
  readonly blob: string;
  readonly version: string;
  /** Of a file that takes options, and the edition that these are. */
  readonly options?: JsonObject;
  readonly edition?: number;
}

/** An event that a rule on this node has published, on its way to the decision log. */
export interface PublishedEvent {
  readonly rule: string;
  readonly type: string;
  readonly version: number;
  readonly data: Json;
}

/** What the processor's thread is told. Of `files` and `work` one at a time is under way. */
export type ToProcessor =
  | { readonly type: "files"; readonly files: readonly FileToLoad[] }
  /** Takes the events in order, and what is due by `now`. */
  | { readonly type: "work"; readonly now: number; readonly events: readonly ArrivedEvent[] }
  | { readonly type: "status"; readonly ref: number }
  | { readonly type: "stop" };

/** A file that is out of force here. */
export interface FileFault {
  readonly file: string;
  readonly version: string;
  readonly reason: string;
}

interface Progress {
  /** That are open. */
  readonly windows: number;
  /** When time alone makes the next match, in ms of the processor's clock; null when nothing waits. */
  readonly firstDue: number | null;
  readonly faults: readonly FileFault[];
}

/** What the processor's thread tells. */
export type FromProcessor =
  | ({ readonly type: "files" } & Progress)
  | ({
      readonly type: "work";
      /** So many of the events, from the first on; the others are to be given again. */
      readonly taken: number;
      readonly published: readonly PublishedEvent[];
      /** Files that began anew because the step was ended in them, and the windows that are lost. */
      readonly lost: readonly { readonly file: string; readonly windows: number }[];
    } & Progress)
  | { readonly type: "status"; readonly ref: number; readonly files: Json };
