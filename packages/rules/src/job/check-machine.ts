import { HalonError } from "@halon/protocol";
import type { AnyStateMachine } from "xstate";
import { plain } from "../plain.ts";
import { deferOf } from "./machine.ts";
import type { StatechartRule } from "./statechart.ts";
import { endlessSteps, inescapable, isRoot, nodesOf, type StateNode, unreachable } from "./ways.ts";

/** Built-in actions of XState that a job may use. */
const allowedActions = new Set([
  "xstate.assign",
  "xstate.raise",
  "xstate.cancel",
  "xstate.enqueueActions",
]);

/** An action, guard or delay as a chart may name it. */
type Named =
  | string
  | { readonly type: string; readonly delay?: unknown; readonly event?: unknown }
  | undefined;

type Refuse = (node: StateNode, what: string) => never;

/**
 * Refuses a statechart that cannot be a job; the rule is named as in its file.
 *
 * Throws HAL_CONFIG_INVALID with rule, state and what to do: on actors, actions without an effect, guards and delays that
 * are not there, events that it never gets, a context that is no JSON, circles of transitions without an event, states that
 * cannot be reached, and states that time alone does not lead out of.
 */
export function checkMachine(name: string, rule: StatechartRule): void {
  const { machine } = rule;
  if (name.includes("/"))
    throw new HalonError(
      "HAL_CONFIG_INVALID",
      `rule ${name}: the name of a statechart rule has no /`,
    );
  const refuse: Refuse = (node, what) => {
    const where = isRoot(node) ? "the machine" : `the state ${node.path.join(".")}`;
    throw new HalonError("HAL_CONFIG_INVALID", `rule ${name}: ${where} ${what}`);
  };
  const nodes = nodesOf(machine.root);
  checkContext(machine, refuse);
  for (const node of nodes) {
    checkActors(node, refuse);
    checkActions(node, rule, refuse);
    checkNames(node, machine, refuse);
    checkEvents(node, rule, nodes, refuse);
  }
  const [lost] = unreachable(machine.root);
  if (lost !== undefined) refuse(lost, "cannot be reached; remove it, or add a transition to it");
  const [endless] = endlessSteps(machine.root);
  if (endless !== undefined)
    refuse(
      endless,
      "comes back to itself by transitions without an event (`always`); let one of them wait for an event or a time",
    );
  const [stuck] = inescapable(machine.root);
  if (stuck !== undefined)
    refuse(
      stuck,
      "is not left for a final state by time alone; add `after` without a guard to it, or to a state around it",
    );
}

function checkContext({ config, root }: AnyStateMachine, refuse: Refuse): void {
  const { context } = config as { readonly context?: unknown };
  if (typeof context === "function") return;
  try {
    plain(context, "context");
  } catch (error) {
    refuse(root, `has a context that cannot be kept: ${(error as Error).message}`);
  }
}

function checkActors(node: StateNode, refuse: Refuse): void {
  if (node.invoke.length > 0)
    refuse(node, "invokes an actor; start a job, or publish an event that is answered by another");
}

function checkActions(node: StateNode, { machine, effects }: StatechartRule, refuse: Refuse): void {
  const initial = Object.keys(node.states).length === 0 ? [] : (node.initial?.actions ?? []);
  const transitions = transitionsOf(node).flatMap(({ actions }) => actions);
  const actions = [...node.entry, ...node.exit, ...initial, ...transitions] as readonly Named[];
  for (const action of actions) {
    const named = machine.implementations.actions as Readonly<Record<string, Named>>;
    const given = nameOf(action);
    const body = typeof action === "function" ? action : named[given];
    if (isBuiltIn(body)) {
      checkBuiltIn(node, machine, body, refuse);
    } else if (typeof action === "function") {
      refuse(node, "has a function as an action; give it a name, and name it in `effects`");
    } else if (!Object.hasOwn(effects, given)) {
      refuse(
        node,
        `has the action ${given}, which is no effect of the rule; name it in \`effects\``,
      );
    }
  }
}

function checkBuiltIn(
  node: StateNode,
  { implementations: { delays } }: AnyStateMachine,
  body: { readonly type: string; readonly delay?: unknown },
  refuse: Refuse,
): void {
  if (!allowedActions.has(body.type))
    refuse(node, `has the action ${body.type}, which needs a running actor; use an effect`);
  const { delay } = body;
  if (typeof delay === "string" && !Object.hasOwn(delays, delay))
    refuse(node, `has the delay ${delay}, which is not there; name it in setup({ delays })`);
}

function checkNames(node: StateNode, { implementations }: AnyStateMachine, refuse: Refuse): void {
  for (const { guard } of transitionsOf(node)) {
    if (guard === undefined || typeof guard === "function") continue;
    const given = nameOf(guard as Named);
    if (!Object.hasOwn(implementations.guards, given))
      refuse(node, `has the guard ${given}, which is not there; name it in setup({ guards })`);
  }
}

/** A state that waits for what never comes is most often a slip of the pen. */
function checkEvents(
  node: StateNode,
  { hears, machine }: StatechartRule,
  nodes: readonly StateNode[],
  refuse: Refuse,
): void {
  const heard = new Set(hears.map(({ event }) => event.type));
  for (const type of deferOf(node))
    if (!heard.has(type))
      refuse(node, `puts off ${type}, which the rule is not on; add by(${type}, …)`);
  const raised = raisedIn(machine, nodes);
  if (raised === null) return;
  for (const type of node.transitions.keys()) {
    if (heard.has(type) || raised.has(type) || type === "cancel") continue;
    if (type === "" || type === "*" || type.startsWith("xstate.")) continue;
    refuse(node, `waits for ${type}, which the rule is not on; add by(${type}, …)`);
  }
}

/** Types of event that the machine raises itself; null when that depends on its context. */
function raisedIn(machine: AnyStateMachine, nodes: readonly StateNode[]): Set<string> | null {
  const named = machine.implementations.actions as Readonly<Record<string, Named>>;
  const raised = new Set<string>();
  const actions = nodes.flatMap((node) => [
    ...node.entry,
    ...node.exit,
    ...transitionsOf(node).flatMap((transition) => transition.actions),
  ]) as readonly Named[];
  for (const action of actions) {
    const body = typeof action === "function" ? action : named[nameOf(action)];
    if (!isBuiltIn(body)) continue;
    if (body.type === "xstate.enqueueActions") return null;
    if (body.type !== "xstate.raise") continue;
    if (typeof body.event !== "object") return null;
    raised.add(nameOf(body.event as Named));
  }
  return raised;
}

function transitionsOf(node: StateNode) {
  return [...node.transitions.values(), node.always ?? []].flat();
}

/** Built-in actions are functions that carry what they do. */
function isBuiltIn(
  body: Named,
): body is { readonly type: string; readonly delay?: unknown; readonly event?: unknown } {
  return typeof body === "function" && "resolve" in (body as object);
}

function nameOf(named: Named): string {
  return typeof named === "string" ? named : (named?.type ?? "");
}
