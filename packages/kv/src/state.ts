import { Tree } from "./tree.ts";
import type { Value } from "./value.ts";

/** The instant of a batch: `logTime` in ms of the log, which TTLs count in; `wallTime` in ms since 1970, for display. */
export interface Stamp {
  readonly logTime: number;
  readonly wallTime: number;
}

/**
 * All that the log has made of the store, as an immutable value: keeping one costs nothing.
 *
 * `ttls` has the shape of the tree, with nodes only where something expires: the instant stands under the empty key,
 * in ms of log time. `due` maps seconds to the paths that expire in them; what is due up to `sweptTo` is gone.
 * `observers` maps a normalised path to the URLs that observe it. `own` is what the store itself wrote at `/.agency`,
 * and is put there again whenever the root is set to an object.
 */
export interface KvState {
  /** Number of the last logged transaction; 0 before the first. */
  readonly index: number;
  /** Of the last entry, ms. */
  readonly logTime: number;
  /** Of the last entry, ms since 1970. */
  readonly wallTime: number;
  readonly root: Value;
  readonly ttls: Tree | null;
  readonly due: Tree;
  readonly sweptTo: number;
  readonly observers: Tree;
  readonly clientIds: ClientIds;
  readonly own: Tree;
}

/** Client id → highest index that carries it; `old` is dropped when `young` is full. */
export interface ClientIds {
  readonly young: Tree;
  readonly old: Tree;
}

/** The store before the first transaction. */
export const emptyKv: KvState = {
  index: 0,
  logTime: 0,
  wallTime: 0,
  root: Tree.empty,
  ttls: null,
  due: Tree.empty,
  sweptTo: 0,
  observers: Tree.empty,
  clientIds: { young: Tree.empty, old: Tree.empty },
  own: Tree.empty,
};
