import { ViolationError, violated } from "../invariants/invariant.ts";
import { eventKind, type World } from "../world.ts";
import { clusterOf, inMachineMs, type SimNode } from "./world.ts";

/**
 * One thread of a node: takes what waits for it in turns, and is busy for a while after each.
 *
 * What it is told is plain data. What waits is lost when it ends.
 */
export interface Thread<Input> {
  readonly node: SimNode;
  readonly name: "main" | "coordinator";
  isAlive: boolean;
  inbox: Input[];
  isTurnDue: boolean;
  /** Until when its last turn lasts; µs. */
  busyUntil: number;
  /** Does nothing before then, though its machine goes on; µs. */
  hungUntil: number;
  /** Those that are armed, by key. */
  readonly timers: Map<string, Timer>;
}

/** A deadline of a thread, on its node's clock. Void when the thread's table has another of its key, or none. */
export interface Timer {
  readonly thread: AnyThread;
  readonly key: string;
}

/** What every thread takes: a deadline that has come. */
export interface Due {
  readonly type: "due";
  readonly key: string;
}

/** A thread of which only is known that it takes deadlines. */
export type AnyThread = Thread<Due>;

/** What every new thread begins with. */
export function newThread(node: SimNode, name: Thread<never>["name"]) {
  return {
    node,
    name,
    isAlive: true,
    inbox: [],
    isTurnDue: false,
    busyUntil: 0,
    hungUntil: 0,
    timers: new Map<string, Timer>(),
  };
}

/** Hands a thread something for its next turn. One that has ended hears nothing. */
export function give<Input>(world: World, thread: Thread<Input>, input: Input): void {
  if (!thread.isAlive) return;
  thread.inbox.push(input);
  if (!thread.isTurnDue) scheduleTurn(world, thread, 0);
}

/** Lets a thread's first turn come after a while. */
export function giveLater<Input>(
  world: World,
  thread: Thread<Input>,
  input: Input,
  inUs: number,
): void {
  thread.inbox.push(input);
  scheduleTurn(world, thread, inUs);
}

function scheduleTurn<Input>(world: World, thread: Thread<Input>, inUs: number): void {
  thread.isTurnDue = true;
  const { node, busyUntil, hungUntil } = thread;
  const wakeUs = 2 + node.prng.below(clusterOf(world).settings.turnMinUs);
  const at = Math.max(world.now + inUs, busyUntil, hungUntil) + wakeUs + node.lateUs;
  world.queue.push(at, eventKind.turn, node.slot, 0, thread as AnyThread);
}

/** A thread takes all that waits for it, in order. */
export function takeTurn<Input, Kind extends Thread<Input>>(
  world: World,
  thread: Kind & Thread<Input>,
  take: (world: World, thread: Kind, input: Input) => void,
): void {
  if (!thread.isAlive || !thread.isTurnDue) return;
  thread.isTurnDue = false;
  if (thread.hungUntil > world.now) {
    scheduleTurn(world, thread, 0);
    return;
  }
  const { inbox, node } = thread;
  thread.inbox = [];
  const { turnMinUs, turnMaxUs } = clusterOf(world).settings;
  thread.busyUntil = world.now + node.prng.between(turnMinUs, turnMaxUs);
  for (const input of inbox) {
    if (!thread.isAlive) return;
    try {
      take(world, thread, input);
    } catch (error) {
      if (error instanceof ViolationError) throw error;
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      violated("C13", `the ${thread.name} thread of ${node.name}: ${text}`);
    }
  }
}

/** A thread that hangs goes on. */
export function goOn<Input>(world: World, thread: Thread<Input>): void {
  if (thread.hungUntil <= world.now) return;
  thread.hungUntil = 0;
  if (thread.isTurnDue) scheduleTurn(world, thread, 0);
}

/** Lets `due` of this key come when the node's clock shows so many ms more; what was armed under the key is void. */
export function arm<Input>(
  world: World,
  thread: Thread<Input | Due>,
  key: string,
  inMs: number,
): void {
  const timer: Timer = { thread: thread as AnyThread, key };
  thread.timers.set(key, timer);
  world.queue.push(
    inMachineMs(world, thread.node, inMs),
    eventKind.timer,
    thread.node.slot,
    0,
    timer,
  );
}

export function disarm<Input>(thread: Thread<Input>, key: string): void {
  thread.timers.delete(key);
}

/** A timer is due, if it still counts. */
export function onTimer(world: World, timer: Timer): void {
  const { thread, key } = timer;
  if (!thread.isAlive || thread.timers.get(key) !== timer) return;
  thread.timers.delete(key);
  give(world, thread, { type: "due", key });
}

/** Ends a thread: what waits for it is lost. */
export function endThread<Input>(thread: Thread<Input>): void {
  thread.isAlive = false;
  thread.inbox = [];
  thread.timers.clear();
}
