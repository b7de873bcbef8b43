import type { AnyStateMachine } from "xstate";

/** A state of a machine: what its ways are. */
export type StateNode = AnyStateMachine["root"];

type Transition = NonNullable<StateNode["always"]>[number];

/** The state and all inside of it. */
export function nodesOf(root: StateNode): readonly StateNode[] {
  return [root, ...childrenOf(root).flatMap(nodesOf)];
}

export function isRoot(node: StateNode): boolean {
  return node.parent === undefined;
}

/** States that no chain of transitions leads to; the outermost of them first. */
export function unreachable(root: StateNode): readonly StateNode[] {
  const reached = new Set<StateNode>();
  const queue = [root];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    queue.push(...enteredWith(node), ...(node.parent === undefined ? [] : [node.parent]));
    queue.push(...[...node.transitions.values(), node.always ?? []].flat().flatMap(targetsOf));
  }
  return nodesOf(root).filter((node) => !reached.has(node));
}

/** States with a transition without an event that leads, by such transitions alone, to another of the same state. */
export function endlessSteps(root: StateNode): readonly StateNode[] {
  const isFinalOfAll = (node: StateNode) => node.type === "final" && node.parent === root;
  const next = (node: StateNode) =>
    (node.always ?? []).flatMap((transition) => {
      const targets = targetsOf(transition);
      // One without a target changes the context at most, and is asked again.
      if (targets.length === 0) return [node];
      return targets.flatMap((target) =>
        isFinalOfAll(target) ? [] : [...ancestorsOf(target), ...insideOf(target)],
      );
    });
  return nodesOf(root).filter((node) => {
    const seen = new Set<StateNode>();
    const queue = next(node);
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (at === node) return true;
      if (!seen.has(at)) queue.push(...next(at));
      seen.add(at);
    }
    return false;
  });
}

/** States in which a machine may stay for ever when no event comes. */
export function inescapable(root: StateNode): readonly StateNode[] {
  const ends = endsOf(root);
  const isLeft = root.type === "parallel" && completes(root) ? () => true : ends;
  const stuck = nodesOf(root).filter((node) => isLeaf(node) && !isHistory(node) && !isLeft(node));
  // Of a parallel state, a region that is at its end waits for the one that never is: that one is named.
  return [...stuck.filter(({ type }) => type !== "final"), ...stuck];
}

/**
 * Whether time alone leads from a state inside of `scope` to the end of `scope`: to one of its own final states, or for the
 * whole machine out of it.
 */
function endsOf(scope: StateNode): (node: StateNode) => boolean {
  const inside = nodesOf(scope);
  const isInside = new Set(inside);
  const good = new Set(inside.filter(({ type, parent }) => type === "final" && parent === scope));
  const ends = (node: StateNode): boolean =>
    good.has(node) || [...ancestorsOf(node)].some((each) => isInside.has(each) && good.has(each));
  /** Entering it is entering what it begins with; of a parallel state any region may lead out. */
  const entered = (node: StateNode): boolean => !isInside.has(node) || insideOf(node).some(ends);
  const complete = new Set(inside.filter((node) => node.type === "parallel" && completes(node)));
  const waysOut = (node: StateNode): readonly Transition[] => {
    if (node.type === "final" && node.parent?.type === "compound" && node.parent !== scope)
      return doneTransitionsOf(node.parent);
    return [...timedTransitionsOf(node), ...(complete.has(node) ? doneTransitionsOf(node) : [])];
  };
  for (let before = -1; before !== good.size; ) {
    before = good.size;
    for (const node of inside)
      if (waysOut(node).some((each) => targetsOf(each).some(entered))) good.add(node);
  }
  return ends;
}

/** Whether time alone completes the state, wherever inside of it the machine is. */
function completes(node: StateNode): boolean {
  if (node.type === "parallel") return childrenOf(node).every(completes);
  const ends = endsOf(node);
  return (
    !isLeaf(node) && nodesOf(node).every((each) => !isLeaf(each) || isHistory(each) || ends(each))
  );
}

/** Those that are taken for sure: after a delay or at once, and not only under a condition. */
function timedTransitionsOf(node: StateNode): readonly Transition[] {
  const delays = [...new Set(node.after.map(({ eventType }) => eventType))];
  const groups = delays.map((delay) => node.transitions.get(delay) ?? []);
  return [...groups, node.always ?? []].filter(isCertain).flat();
}

function doneTransitionsOf(node: StateNode): readonly Transition[] {
  const done = node.transitions.get(`xstate.done.state.${node.id}`) ?? [];
  return isCertain(done) ? done : [];
}

function isCertain(alternatives: readonly Transition[]): boolean {
  return alternatives.some(({ guard }) => guard === undefined);
}

function targetsOf({ target }: Pick<Transition, "target">): readonly StateNode[] {
  return (target ?? []) as readonly StateNode[];
}

/** The state, and those that are entered with it. */
function insideOf(node: StateNode): readonly StateNode[] {
  return [node, ...enteredWith(node).flatMap(insideOf)];
}

function enteredWith(node: StateNode): readonly StateNode[] {
  if (isHistory(node)) return node.parent === undefined ? [] : beginOf(node.parent);
  return beginOf(node);
}

function beginOf(node: StateNode): readonly StateNode[] {
  if (node.type === "parallel") return childrenOf(node).filter((child) => !isHistory(child));
  if (node.type !== "compound") return [];
  return targetsOf(node.initial).filter((child) => !isHistory(child));
}

function* ancestorsOf(node: StateNode): Generator<StateNode> {
  for (let { parent } = node; parent !== undefined; { parent } = parent) yield parent;
}

function childrenOf(node: StateNode): readonly StateNode[] {
  return Object.values(node.states) as readonly StateNode[];
}

function isLeaf(node: StateNode): boolean {
  return Object.keys(node.states).length === 0;
}

function isHistory({ type }: StateNode): boolean {
  return type === "history";
}
