import type { Context } from "./context.ts";

/** A service that is to leave one node for another. */
export interface Move {
  readonly from: string;
  /** Where it goes; absent: where it would be placed now. */
  readonly to?: string | undefined;
  readonly reason: string;
}

/** The move of the service that is under way. */
export function moveOf({ memory }: Pick<Context, "memory">, service: string): Move | undefined {
  return memory.get(moveKey(service)) as Move | undefined;
}

/** Whether the place of the service on the node is given up as soon as what replaces it runs. */
export function isMovedOff(
  context: Pick<Context, "memory">,
  service: string,
  node: string,
): boolean {
  return moveOf(context, service)?.from === node;
}

export function beginMove({ memory }: Pick<Context, "memory">, service: string, move: Move): void {
  memory.set(moveKey(service), move);
}

/** The place is given up: the move is over. */
export function endMove(context: Pick<Context, "memory">, service: string, node: string): void {
  if (isMovedOff(context, service, node)) context.memory.set(moveKey(service), null);
}

function moveKey(service: string): string {
  return `move/${service}`;
}
