import { setTimeout as delay } from "node:timers/promises";
import { type ClusterStatus, HalonError, InstanceState, NodeState } from "@halon/protocol";
import type { Command } from "commander";
import { once } from "../command-line.ts";
import { usage } from "../failure.ts";
import type { Io } from "../io.ts";
import { action } from "./session.ts";

const pollMs = 200;
const clusterStates = ["healthy", "degraded", "unavailable"];

/** What is waited for, read from its reference. */
export type Target =
  | { readonly type: "cluster" }
  | { readonly type: "node"; readonly node: string }
  | { readonly type: "service"; readonly service: string; readonly node: string | undefined }
  | { readonly type: "instance"; readonly instance: string };

/** `wait`. */
export function addWait(program: Command, io: Io): void {
  program
    .command("wait")
    .description("until a node, service, instance or the cluster is in a state")
    .argument("<what>", "node/N, service/S, service/S@N, instance/I or cluster")
    .requiredOption("--for <state>", "such as up, running, stopped or healthy", once)
    .action(
      action(io, async ({ client, print, timeoutMs }, what: string, options: { for: string }) => {
        const target = targetOf(what);
        requireState(target, options.for);
        const end = performance.now() + timeoutMs;
        for (;;) {
          const states = statesOf(await client.status(), target);
          if (isReached(states, options.for)) {
            print.say(`${what} is ${options.for}`);
            return;
          }
          if (performance.now() > end || io.interrupted.aborted) {
            const now = states.length === 0 ? "not there" : [...new Set(states)].join(", ");
            throw new HalonError(
              "HAL_TIMEOUT",
              `${what} is ${now}, not ${options.for}, after ${timeoutMs} ms. Allow more with --timeout, or see \`halonctl status\`.`,
            );
          }
          await delay(pollMs);
        }
      }),
    );
}

export function targetOf(what: string): Target {
  if (what === "cluster") return { type: "cluster" };
  const [, word, id = ""] = /^(node|service|instance)\/([a-z0-9@#-]+)$/.exec(what) ?? [];
  if (word === "node") return { type: "node", node: id };
  if (word === "instance") return { type: "instance", instance: id };
  if (word === "service") {
    const [service = "", node] = id.split("@");
    return { type: "service", service, node };
  }
  throw usage(
    `Expected node/N, service/S, service/S@N, instance/I or cluster, got ${JSON.stringify(what.slice(0, 100))}.`,
  );
}

/** The states of all that the target means; empty when nothing of it is there. */
export function statesOf(status: ClusterStatus, target: Target): readonly string[] {
  switch (target.type) {
    case "cluster":
      return [status.cluster.state];
    case "node":
      return status.nodes.filter(({ name }) => name === target.node).map(({ state }) => state);
    case "service":
      return status.services
        .filter((row) => row.service === target.service)
        .filter((row) => target.node === undefined || row.node === target.node)
        .map(({ state }) => state);
    case "instance":
      return status.services
        .filter(({ instance }) => instance === target.instance)
        .map(({ state }) => state);
  }
}

/** All of it must be in the state; what is not there any more counts as stopped. */
export function isReached(states: readonly string[], wanted: string): boolean {
  if (states.length === 0) return wanted === "stopped";
  return states.every((state) => state === wanted);
}

function requireState(target: Target, state: string): void {
  const known: readonly string[] =
    target.type === "cluster"
      ? clusterStates
      : target.type === "node"
        ? NodeState.options
        : InstanceState.options;
  if (known.includes(state)) return;
  throw usage(
    `Expected --for to be ${known.join(", ")}, got ${JSON.stringify(state.slice(0, 50))}.`,
  );
}
