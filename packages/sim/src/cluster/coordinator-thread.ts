import {
  type CoordinatorState,
  decodeSnapshot,
  emptyState,
  encodeSnapshot,
  fold,
} from "@halon/coordinator/core";
import type { DecisionRecord } from "@halon/protocol";
import { feed } from "../feed.ts";
import { violated } from "../invariants/invariant.ts";
import type { World } from "../world.ts";
import type { Decider } from "./askers.ts";
import type { MemberProcess, StoreAnswer } from "./member-process.ts";
import type { CoordinatorNews, ToCoordinator } from "./news.ts";
import { parseShared } from "./shared-text.ts";
import { type Due, endThread, give, type Thread } from "./threads.ts";
import { clusterOf, saw } from "./world.ts";

/** What waits for the coordinator's thread. */
export type CoordinatorInput =
  | Due
  | ToCoordinator
  | StoreAnswer
  /** The member has applied something, or leads, or does not any more. */
  | { readonly type: "look" }
  /** The decision loop asked for it. */
  | { readonly type: "decide" };

/** One start of the coordinator of a tracking node: a standby first, and then perhaps the one that decides. */
export interface SimCoordinator extends Thread<CoordinatorInput> {
  /** In which it keeps its log. */
  readonly process: MemberProcess;
  readonly startedMs: number;
  /** It has read its log, and told so. */
  isFollowing: boolean;
  /** Of a standby; what is decided is in the decider's. */
  folded: CoordinatorState;
  /** Snapshots of other members that it has seen. */
  installs: number;
  owner: string | null;
  decider: Decider | null;
  /** Record up to which its member has the state, or is asked to. */
  savedIndex: number;
  /** Number of the snapshot that it waits for. */
  saving: number | null;
}

/** Slots that are read together, at least one; bytes. */
export const readBytesMax = 65_536;
const decoder = new TextDecoder();

/** The state as it was folded or decided last; what was decided may not be durable. */
export function stateOf(coordinator: SimCoordinator): CoordinatorState {
  return coordinator.decider?.loop.state ?? coordinator.folded;
}

/** Under which it decides; 0 while it is a standby. */
export function epochOf(coordinator: SimCoordinator): number {
  return coordinator.decider?.epoch ?? 0;
}

/** The state as of the last record: the newest snapshot, and the records after it, some of which nobody may have seen. */
export function recoveredState(world: World, { node, process }: SimCoordinator): CoordinatorState {
  const { host, replica } = process;
  const { text } = host.saved;
  const state = text === "" ? emptyState() : decodeSnapshot(text);
  const { records } = replica;
  while (state.index < records.lastPosition)
    for (const { position, data } of records.read(state.index + 1, readBytesMax)) {
      const record = foldNext(state, position, data);
      saw(world, { type: "folded", node, record, state });
    }
  return state;
}

/** Folds the record of a slot. */
export function foldNext(
  state: CoordinatorState,
  position: number,
  data: Uint8Array,
): DecisionRecord {
  const record = parseShared(decoder.decode(data)) as unknown as DecisionRecord;
  // A record is never so large here that it takes several slots.
  if (record.index !== position)
    violated("C9", `slot ${position} of the log has record ${record.index}`);
  fold(state, record);
  return record;
}

/** What a record did to the graph. */
export function deltaOf({ index, epoch, revision, decisions }: DecisionRecord) {
  const changes = decisions.flatMap(({ firings }) => firings.flatMap((firing) => firing.changes));
  return { index, epoch, revision, changes };
}

/** Asks the member for a snapshot with the state as it is now, where one is due. */
export function saveIfDue(
  world: World,
  coordinator: SimCoordinator,
  state: CoordinatorState,
): void {
  const { snapshotRecords } = clusterOf(world).settings;
  if (coordinator.saving !== null || state.index - coordinator.savedIndex < snapshotRecords) return;
  const id = nextNumber(world);
  coordinator.saving = id;
  coordinator.savedIndex = state.index;
  const text = encodeSnapshot(state);
  const input = { type: "hostSnapshot", id, position: state.index, text } as const;
  feed(world, coordinator.node.member, { type: "store", input });
}

/** A number that comes once in a run. */
export function nextNumber(world: World): number {
  const cluster = clusterOf(world);
  cluster.lastNumber += 1;
  return cluster.lastNumber;
}

/** Tells the main thread of its node. */
export function tell(world: World, { node }: SimCoordinator, news: CoordinatorNews): void {
  if (node.halond !== null) give(world, node.halond, { type: "news", news });
}

/** Ends the thread with the reason that its main thread hears. */
export function endCoordinator(
  world: World,
  coordinator: SimCoordinator,
  code: string,
  reason: string,
): void {
  if (!coordinator.isAlive) return;
  const { node } = coordinator;
  const epoch = epochOf(coordinator);
  endThread(coordinator);
  node.coordinator = null;
  tell(world, coordinator, { type: "ended", code, reason });
  saw(world, { type: "coordinatorEnded", node, epoch, reason });
}
