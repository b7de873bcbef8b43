import { createHash } from "node:crypto";
import type { Command, Json } from "@halon/protocol";
import {
  type CoordinatorState,
  decodeSnapshot,
  encodeSnapshot,
  type Input,
  type RuleSet,
  step,
} from "../src/core/index.ts";
import {
  begin,
  connect,
  fail,
  finish,
  type NodeData,
  restartNode,
  underWay,
} from "./scripted-node.ts";

/** How often each thing that nobody controls may happen on one way. */
export interface Budget {
  readonly cut: number;
  readonly lose: number;
  readonly restart: number;
  readonly fail: number;
  /** Log time jumps to the next timer although something else could still happen. */
  readonly early: number;
}

interface Ask {
  readonly type: string;
  readonly data: Json;
}

/** A coordinator, one node and what is between them, as plain data. */
interface World {
  /** Hash of the coordinator's snapshot. */
  readonly state: string;
  readonly now: number;
  readonly node: NodeData;
  readonly wire: readonly Command[];
  readonly observed: number;
  readonly asks: readonly Ask[];
  readonly budget: Budget;
}

interface Move {
  readonly name: string;
  readonly world: World;
}

export interface Explored {
  readonly states: number;
  readonly ends: readonly {
    readonly state: CoordinatorState;
    readonly node: NodeData;
    readonly way: () => string[];
  }[];
}

/** Thrown with the way that leads to a state that breaks a rule. */
export class Broken extends Error {}

/**
 * Every state that the coordinator, its node and the link between them can get into, in any order of steps.
 *
 * A state is visited once, however many ways lead to it, so all interleavings are covered. Ends are states in
 * which nothing can happen any more: everything arrived, the link is up and no timer is armed.
 */
export function explore(
  start: {
    readonly state: CoordinatorState;
    readonly node: NodeData;
    readonly wire: readonly Command[];
    readonly now: number;
    readonly observed: number;
    readonly asks: readonly Ask[];
    readonly budget: Budget;
  },
  rules: RuleSet,
): Explored {
  const explorer = new Explorer(rules);
  const { state, ...others } = start;
  return explorer.run({ ...others, state: explorer.remember(state) });
}

class Explorer {
  readonly #rules: RuleSet;
  readonly #seen = new Map<string, { readonly from: string; readonly move: string }>();
  readonly #steps = new Map<
    string,
    { readonly state: string; readonly commands: readonly Command[] }
  >();
  /** Each state once, by its hash; what is asked of it often is kept beside it. */
  readonly #states = new Map<
    string,
    { text: string; outbox: readonly Command[]; due: number | undefined }
  >();
  readonly #ends: { state: CoordinatorState; node: NodeData; way: () => string[] }[] = [];

  constructor(rules: RuleSet) {
    this.#rules = rules;
  }

  run(first: World): Explored {
    const stack: { world: World; key: string }[] = [{ world: first, key: keyOf(first) }];
    this.#seen.set(keyOf(first), { from: "", move: "" });
    for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
      const { world, key } = item;
      const moves = this.#moves(world);
      if (moves.length === 0)
        this.#ends.push({
          state: decodeSnapshot(this.#textOf(world)),
          node: world.node,
          way: () => this.#wayTo(key),
        });
      for (const move of moves) {
        const next = keyOf(move.world);
        if (this.#seen.has(next)) continue;
        this.#seen.set(next, { from: key, move: move.name });
        if (this.#seen.size > 400_000) throw new Broken("there is no end of states");
        stack.push({ world: move.world, key: next });
      }
    }
    return { states: this.#seen.size, ends: this.#ends };
  }

  remember(state: CoordinatorState): string {
    const text = encodeSnapshot(state);
    const key = hash(text);
    const outbox = state.outbox.toJSON();
    this.#states.set(key, { text, outbox, due: state.timers.first()?.due });
    return key;
  }

  #textOf({ state }: World): string {
    return this.#states.get(state)?.text ?? "";
  }

  #wayTo(key: string): string[] {
    const way: string[] = [];
    for (
      let at = this.#seen.get(key);
      at !== undefined && at.move !== "";
      at = this.#seen.get(at.from)
    )
      way.unshift(at.move);
    return way;
  }

  #moves(world: World): Move[] {
    const certain = [...this.#messages(world), ...this.#services(world)];
    const chance = this.#chances(world);
    if (certain.length > 0) return [...certain, ...chance, ...this.#early(world)];
    const time = this.#nextTimer(world);
    return time === undefined ? chance : [{ name: "time passes", world: time }, ...chance];
  }

  #messages(world: World): Move[] {
    const moves: Move[] = [];
    const [ask, ...asks] = world.asks;
    if (ask !== undefined) {
      const id = `ask-${world.asks.length}`;
      const input: Input = { type: "client", id, event: { version: 1, ...ask } };
      moves.push({ name: ask.type, world: this.#take({ ...world, asks }, input) });
    }
    const { node, wire } = world;
    // A node begins all that it has received before it connects again: its inventory counts on it.
    if (!node.isLinked && node.inbox.length === 0)
      moves.push({ name: "connect", world: this.#connect(world) });
    const [command, ...rest] = wire;
    if (command !== undefined) {
      const received = change(node, (draft) => void draft.inbox.push(command));
      moves.push({
        name: `receive ${command.action.type} ${command.action.instance}`,
        world: { ...world, wire: rest, node: received },
      });
    }
    const [oldest] = node.inbox;
    if (oldest !== undefined)
      moves.push({
        name: `begin ${oldest.action.type} ${oldest.action.instance}`,
        world: { ...world, node: change(node, begin) },
      });
    if (node.isLinked && node.events.length > 0) moves.push(this.#event(world));
    return moves;
  }

  #services(world: World): Move[] {
    return underWay(world.node).map(({ instance, state }) => ({
      name: `${instance} ends ${state}`,
      world: { ...world, node: change(world.node, (draft) => finish(draft, instance)) },
    }));
  }

  #chances(world: World): Move[] {
    const { node, budget } = world;
    const moves: Move[] = [];
    if (budget.cut > 0 && node.isLinked)
      moves.push({
        name: "cut",
        world: {
          ...world,
          wire: [],
          node: { ...node, isLinked: false },
          budget: { ...budget, cut: budget.cut - 1 },
        },
      });
    if (budget.restart > 0 && !node.isLinked)
      moves.push({
        name: "node restarts",
        world: {
          ...world,
          node: change(node, restartNode),
          budget: { ...budget, restart: budget.restart - 1 },
        },
      });
    if (budget.lose > 0 && !node.isLinked) moves.push(this.#lose(world));
    if (budget.fail === 0) return moves;
    const failing = Object.keys(node.running).map((instance) => ({
      name: `${instance} fails`,
      world: {
        ...world,
        node: change(node, (draft) => fail(draft, instance)),
        budget: { ...budget, fail: budget.fail - 1 },
      },
    }));
    return [...moves, ...failing];
  }

  #early(world: World): Move[] {
    const { budget } = world;
    if (budget.early === 0) return [];
    const next = this.#nextTimer({ ...world, budget: { ...budget, early: budget.early - 1 } });
    return next === undefined ? [] : [{ name: "time passes early", world: next }];
  }

  #connect(world: World): World {
    const wire = this.#states.get(world.state)?.outbox ?? [];
    return { ...world, node: change(world.node, connect), wire };
  }

  #event(world: World): Move {
    const [event] = world.node.events;
    if (event === undefined) throw new Error("there is no event");
    const { sequence, type, data } = event;
    const input: Input = {
      type: "numbered",
      source: `node/${world.node.name}`,
      incarnation: world.node.incarnation,
      sequence,
      event: { type, version: 1, data },
    };
    const node = change(world.node, (draft) => void draft.events.shift());
    return { name: type, world: this.#take({ ...world, node }, input) };
  }

  #lose(world: World): Move {
    const { node, budget } = world;
    const data = { node: node.name, incarnation: node.incarnation, reason: "silent" };
    const observed = world.observed + 1;
    const input: Input = {
      type: "numbered",
      source: "tracking",
      incarnation: 1,
      sequence: observed,
      event: { type: "NodeLost", version: 1, data },
    };
    const next = { ...world, observed, budget: { ...budget, lose: budget.lose - 1 } };
    return { name: "NodeLost", world: this.#take(next, input) };
  }

  #nextTimer(world: World): World | undefined {
    const due = this.#states.get(world.state)?.due;
    return due === undefined ? undefined : this.#take({ ...world, now: Math.max(world.now, due) });
  }

  #take(world: World, ...inputs: readonly Input[]): World {
    const key = hash(`${world.state} ${world.now} ${JSON.stringify(inputs)}`);
    let taken = this.#steps.get(key);
    if (taken === undefined) {
      const state = decodeSnapshot(this.#textOf(world));
      const stamp = { epoch: 1, logTime: world.now, wallTime: world.now };
      const { commands } = step(state, this.#rules, inputs, stamp);
      taken = { state: this.remember(state), commands };
      this.#steps.set(key, taken);
    }
    const sent = world.node.isLinked ? taken.commands : [];
    return { ...world, state: taken.state, wire: [...world.wire, ...sent] };
  }
}

function change(node: NodeData, edit: (draft: NodeData) => void): NodeData {
  // Commands and events are never changed in place.
  const { inbox, events, waiting, ...others } = node;
  const draft = {
    ...structuredClone(others),
    inbox: [...inbox],
    events: [...events],
    waiting: { ...waiting },
  };
  edit(draft);
  return draft;
}

/** Commands are told apart by their ids, and may be long. */
function keyOf({ wire, node, ...others }: World): string {
  const ids = (commands: readonly Command[]) => commands.map(({ id }) => id);
  return hash(
    JSON.stringify({ ...others, wire: ids(wire), node: { ...node, inbox: ids(node.inbox) } }),
  );
}

function hash(text: string): string {
  return createHash("sha1").update(text).digest("base64");
}
