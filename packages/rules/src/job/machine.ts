import type { Json } from "@halon/protocol";
import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from "xstate";
import { plain } from "../plain.ts";

/** Microsteps of one event before a machine counts as one that never rests. */
const microstepsMax = 1_000;

/** What a machine asks for. */
export interface MachineAction {
  readonly type: string;
  readonly info: { readonly context: unknown; readonly event: unknown };
  readonly params: unknown;
}

/** A machine has moved, and asks for actions, in this order. */
export interface Moved {
  readonly snapshot: AnyMachineSnapshot;
  readonly actions: readonly MachineAction[];
}

/**
 * What a machine moves in: no actor, and nothing that differs from one run to the next.
 *
 * `initialTransition` and `transition` of XState make an actor for that, with a number of this process that guards and
 * assignments could read; and they try its context without input each time.
 */
function inertScope(actions: MachineAction[]): never {
  const nothing = (): void => undefined;
  const scope = {
    self: {
      // Spawning begins here.
      get system(): never {
        throw new TypeError("a job cannot begin an actor; publish an event or start a job instead");
      },
    },
    system: { _sendInspectionEvent: nothing },
    id: "",
    sessionId: "",
    defer: nothing,
    logger: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: MachineAction) => void actions.push(action),
  };
  return scope as never;
}

/** Begins a machine with its input. Throws what the machine throws. */
export function begin(machine: AnyStateMachine, input: unknown): Moved {
  bound(machine);
  const actions: MachineAction[] = [];
  const snapshot = machine.getInitialSnapshot(inertScope(actions), input) as AnyMachineSnapshot;
  // XState keeps what is thrown here; it throws what is thrown later.
  if (snapshot.status === "error") throw snapshot.error;
  return { snapshot, actions };
}

/** Gives the machine an event; null when it stays as it is and asks for nothing. Throws what the machine throws. */
export function advance(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: { readonly type: string },
): Moved | null {
  bound(machine);
  const actions: MachineAction[] = [];
  const next = machine.transition(snapshot, event, inertScope(actions)) as AnyMachineSnapshot;
  return next === snapshot && actions.length === 0 ? null : { snapshot: next, actions };
}

/** The snapshot as plain JSON; a TypeError names what in it is none. */
export function persist(machine: AnyStateMachine, snapshot: AnyMachineSnapshot): Json {
  const { value, context, historyValue, status } = machine.getPersistedSnapshot(
    snapshot,
  ) as unknown as AnyMachineSnapshot;
  return plain({ value, context, historyValue, status }, "snapshot");
}

/** The machine where `persist` left it. */
export function restore(machine: AnyStateMachine, saved: Json): AnyMachineSnapshot {
  // It has no children, so nothing of the scope is used.
  return machine.restoreSnapshot({ ...(saved as object), children: {} } as never, {} as never);
}

/** A machine in the given state. Throws when it has no such state, or the context is no JSON. */
export function placeAt(
  machine: AnyStateMachine,
  value: StateValue,
  context: object,
): AnyMachineSnapshot {
  return machine.resolveState({ value, context: plain(context, "context") as never });
}

/** The delays of the states that the machine is in, in ms by the id of their timers. */
export function delaysOf(snapshot: AnyMachineSnapshot): ReadonlyMap<string, number> {
  const { machine, _nodes, context } = snapshot;
  const named = machine.implementations.delays as Readonly<Record<string, unknown>>;
  const msOf = (delay: unknown): number => {
    const given = typeof delay === "string" ? named[delay] : delay;
    return Number(
      typeof given === "function" ? given({ context, event: { type: "move" } }) : given,
    );
  };
  const delayed = snapshot.status === "active" ? _nodes.flatMap((node) => node.after) : [];
  return new Map(delayed.map(({ eventType, delay }) => [eventType, msOf(delay)]));
}

type Node = AnyMachineSnapshot["_nodes"][number];

/** What `meta` of a state may say. */
interface StateMeta {
  readonly defer?: readonly string[];
}

/** Of the types of event that the machine can get: those that its states take now, and those that they put off. */
export function expectations(
  { _nodes, status }: Pick<AnyMachineSnapshot, "_nodes" | "status">,
  types: readonly string[],
): { readonly waits: readonly string[]; readonly defers: readonly string[] } {
  const waits = new Set<string>();
  const defers = new Set<string>();
  for (const leaf of status === "active" ? _nodes.filter(isLeaf) : []) {
    // The innermost state that says something of a type is asked, as for transitions.
    const said = new Set<string>();
    for (let node: Node | undefined = leaf; node !== undefined; node = node.parent) {
      const { ownEvents } = node;
      const takes = types.filter((type) => ownEvents.includes(type) || ownEvents.includes("*"));
      for (const type of takes) if (!said.has(type)) waits.add(type);
      for (const type of deferOf(node))
        if (!said.has(type) && !takes.includes(type)) defers.add(type);
      for (const type of [...takes, ...deferOf(node)]) said.add(type);
    }
  }
  return {
    waits: [...waits].sort(),
    defers: [...defers].filter((type) => !waits.has(type)).sort(),
  };
}

/** Types of event that a state puts off. */
export function deferOf({ meta }: Pick<Node, "meta">): readonly string[] {
  return (meta as StateMeta | undefined)?.defer ?? [];
}

/** A state as people read it: `waiting`, `{"a":"b"}`. */
export function stateText({ value }: Pick<AnyMachineSnapshot, "value">): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isLeaf(node: Node): boolean {
  return Object.keys(node.states).length === 0;
}

/** Raised events can go round for ever, which no check of the chart can see. */
function bound({ options }: AnyStateMachine): void {
  if (!Number.isFinite(options.maxIterations ?? Number.POSITIVE_INFINITY))
    options.maxIterations = microstepsMax;
}
