import type { DoContext } from "@halon/rules";

/** What the built-in rules' shared decisions need of any rule's context. */
export type Context = Pick<
  DoContext<unknown>,
  | "graph"
  | "update"
  | "now"
  | "wallTime"
  | "memory"
  | "command"
  | "timer"
  | "publish"
  | "why"
  | "job"
  | "alert"
>;

/** States of an instance in which something of it may run on a node that can be reached. */
export function isLive(state: string): boolean {
  return (
    state === "starting" || state === "running" || state === "degraded" || state === "stopping"
  );
}

/** The reason as people see it: bounded, because it is kept in the graph. */
export function bounded(reason: string): string {
  return reason.length <= 1_000 ? reason : `${reason.slice(0, 999)}…`;
}
