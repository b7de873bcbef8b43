import type { DecisionRecord } from "@halon/protocol";
import type { Happening } from "./happening.ts";

/** Longest text of one part of a line. */
const partCharsMax = 400;

/** Whether nothing else tells of it already, and a reader learns something from it. */
export function isTold({ type }: Happening): boolean {
  switch (type) {
    case "appending":
    case "folded":
    case "replicated":
    case "acknowledged":
    case "leaseRenewed":
    case "granted":
    case "following":
    case "nodeStarted":
    case "nodeEnded":
    case "leading":
    case "coordinatorEnded":
    case "observed":
    case "setupFound":
    case "setupSaving":
      return false;
    default:
      return true;
  }
}

/** What happened, as text. */
export function describeHappening(what: Happening): string {
  switch (what.type) {
    case "committed":
      return `${what.node.name} has decided ${describeRecord(what.record)}`;
    case "commandsSent":
      return `${what.node.name} sends ${what.commands.map(({ id, node, action }) => `${id} to ${node}: ${action.type} ${action.instance}`).join("; ")}`;
    case "commandTaken":
      return `${what.node.name} gets ${what.command.id} ${what.command.action.type} ${what.command.action.instance}: ${what.verdict}`;
    case "emitted":
      return `${what.node.name} tells ${what.event.type} ${short(what.event.data)}`;
    case "eventsSent":
      return `${what.node.name} sends events ${what.events.map(({ sequence, event }) => `${sequence} ${event.type}`).join(", ")}`;
    case "attached":
      return `${what.leader.name} has taken in ${what.node}`;
    case "launched":
      return `${what.node.name} runs ${what.process.instance}, pid ${what.process.pid}`;
    case "ended":
      return `${what.node.name} does not run ${what.process.instance} any more: ${what.end}`;
    case "setupSaved":
      return `${what.node.name} keeps ${what.setup.phase} with ${what.setup.peers.map(({ name, role }) => `${name} ${role}`).join(", ")}`;
    case "helloAnswered":
      return `${what.node.name} answers the hello of ${what.to.name}: ${what.config.peers.length} nodes${what.config.complete ? ", complete" : ""}`;
    case "adopted":
      return `${what.node.name} has taken over ${what.instance}`;
    default:
      return `${"node" in what && typeof what.node === "object" ? what.node.name : ""} ${what.type}`;
  }
}

function describeRecord({ index, epoch, logTime, decisions }: DecisionRecord): string {
  const parts = decisions.map(({ event, firings, dead }) => {
    const rules = firings.map(({ rule }) => rule).join(" ");
    return `${event.type} ${short(event.data)}${dead === null ? "" : ` DEAD ${dead}`} -> ${rules}`;
  });
  return `record ${index} of epoch ${epoch} at ${logTime}: ${parts.join("\n                    ")}`;
}

function short(data: unknown): string {
  return JSON.stringify(data).slice(0, partCharsMax);
}
