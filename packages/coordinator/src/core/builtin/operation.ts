import { type AttributesOf, compareText, events, keyOf, type Resource } from "@halon/protocol";
import { bounded, type Context, isLive } from "./context.ts";
import { isInMaintenance } from "./node-mode.ts";
import { runsAsWanted } from "./wanted.ts";

/** Operations that are kept after their end. */
const operationsKeptMax = 1_000;
/** An operation that has not ended by then has failed. */
const operationDeadlineMs = 120_000;

type Action = AttributesOf<"Operation">["action"];

/**
 * Begins an operation. Each entry of `waiting` is a slot and an incarnation, `web@node-1#3`: for a stop it waits until
 * that incarnation has ended, for a drain until nothing of the slot runs, for a check or status for that instance's answer, else until that incarnation or a later
 * one runs.
 */
export function beginOperation(
  context: Context,
  id: string,
  action: Action,
  target: string,
  waiting: readonly string[],
): void {
  const { graph, update } = context;
  if (graph.get("Operation", id) !== undefined) return;
  const order = Number(context.memory.get("operation-order") ?? 0) + 1;
  context.memory.set("operation-order", order);
  update.put("Operation", id, {
    action,
    target,
    state: "running",
    waiting: [...new Set(waiting)].sort(compareText),
    since: context.wallTime,
    order,
  });
  const cluster = graph.list("Cluster")[0];
  if (cluster !== undefined)
    update.relate(keyOf("Cluster", cluster.id), "contains", keyOf("Operation", id));
  if (waiting.length === 0) endOperation(context, id, "done");
  else
    context.timer.after(`operation/${id}`, operationDeadlineMs, events.OperationDue, {
      operation: id,
    });
  forgetOldOperations(context);
}

export function failOperation(
  context: Context,
  id: string,
  action: Action,
  target: string,
  reason: string,
): void {
  beginOperation(context, id, action, target, [`${target}#0`]);
  endOperation(context, id, "failed", reason);
}

export function endOperation(
  context: Context,
  id: string,
  state: "done" | "failed",
  reason?: string,
): void {
  const operation = context.graph.get("Operation", id);
  if (operation === undefined || operation.attributes.state !== "running") return;
  context.update.patch("Operation", id, {
    state,
    since: context.wallTime,
    ...(reason === undefined ? {} : { reason: bounded(reason) }),
  });
  context.timer.cancel(`operation/${id}`);
  context.publish(events.OperationEnded, {
    operation: id,
    state,
    ...(reason === undefined ? {} : { reason: bounded(reason) }),
  });
}

/** Looks at the operations that wait for the slot, after something happened there. */
export function settleOperations(context: Context, slot: string): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const entry = operation.attributes.waiting.find((waiting) => slotOf(waiting) === slot);
    if (entry !== undefined) settle(context, operation, entry, slot);
  }
}

/** Takes a service's answer into the operations that wait for it. */
export function answerOperations(
  context: Context,
  instance: string,
  answer: { readonly [key: string]: unknown },
): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const { action, waiting } = operation.attributes;
    if ((action !== "check" && action !== "status") || !waiting.includes(instance)) continue;
    context.update.edit("Operation", operation.id, (draft) => {
      draft["answers"] = {
        ...(draft["answers"] as object | undefined),
        [instance]: answer as never,
      };
    });
    finishWaiting(context, operation.id, instance);
  }
}

/** The configuration that was asked for was taken back: the operations that wait for it in the slot have failed. */
export function failConfiguring(context: Context, slot: string, reason: string): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const { action, waiting } = operation.attributes;
    const isConfiguring = action === "configure" || action === "apply";
    if (isConfiguring && waiting.some((entry) => slotOf(entry) === slot))
      endOperation(context, operation.id, "failed", reason);
  }
}

/** The incarnation has run and has ended by itself: the operations that wait for it to run have what they asked for. */
export function finishStarted(context: Context, slot: string, incarnation: number): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const { action, waiting } = operation.attributes;
    if (action === "stop" || action === "check" || action === "status" || action === "drain")
      continue;
    for (const entry of waiting.filter((entry) => slotOf(entry) === slot)) {
      if (incarnationOf(entry) <= incarnation) finishWaiting(context, operation.id, entry);
    }
  }
}

/** Nobody will answer for the instance: the operations that wait for it have failed. */
export function failAnswers(context: Context, instance: string, reason: string): void {
  for (const operation of context.graph.list("Operation", { state: "running" })) {
    const { action, waiting } = operation.attributes;
    if ((action === "check" || action === "status") && waiting.includes(instance))
      endOperation(context, operation.id, "failed", reason);
  }
}

function settle(
  context: Context,
  operation: Resource<"Operation">,
  entry: string,
  slot: string,
): void {
  const { action } = operation.attributes;
  const instance = context.graph.in(keyOf("ServiceName", slot), "holds", "ServiceInstance")[0];
  const state = instance?.attributes.state ?? "stopped";
  if (action === "check" || action === "status") {
    if (instance?.id !== entry || !isLive(state)) {
      endOperation(context, operation.id, "failed", `${entry} ended before it answered`);
    }
    return;
  }
  const { broken, halted } = context.graph.get("ServiceName", slot)?.attributes ?? {};
  if (action === "stop") {
    const isPast = incarnationOf(instance?.id) > incarnationOf(entry);
    if (isPast || (!isLive(state) && state !== "unknown"))
      finishWaiting(context, operation.id, entry);
    else if (halted !== true && state !== "stopping" && state !== "unknown")
      endOperation(context, operation.id, "failed", `a later request keeps ${entry} running`);
    return;
  }
  if (action === "drain") {
    if (!isLive(state)) finishWaiting(context, operation.id, entry);
    return;
  }
  if (broken !== undefined) {
    endOperation(context, operation.id, "failed", `${slot} is broken: ${broken}`);
    return;
  }
  if (halted === true) {
    if (action === "start" || action === "restart")
      endOperation(context, operation.id, "failed", `a later request stopped ${slot}`);
    // What else was asked for is taken in by the next start; nothing runs that could show it.
    else finishWaiting(context, operation.id, entry);
    return;
  }
  if (
    action === "restart" &&
    (state === "running" || state === "degraded") &&
    incarnationOf(instance?.id) < incarnationOf(entry)
  ) {
    const node = instance?.attributes.node;
    endOperation(
      context,
      operation.id,
      "failed",
      `${node} was lost before ${instance?.id} was stopped; it runs on`,
    );
    return;
  }
  const wanted = context.graph.out(keyOf("ServiceName", slot), "wants", "Service").length > 0;
  const runs =
    runsAsWanted(context, slot, instance) && incarnationOf(instance?.id) >= incarnationOf(entry);
  if (runs || !wanted) finishWaiting(context, operation.id, entry);
  else if (!isLive(state)) settleInMaintenance(context, operation, entry, slot);
}

/** Nothing is started on a node in maintenance: who asked for that is told, and nothing else waits for it. */
function settleInMaintenance(
  context: Context,
  operation: Resource<"Operation">,
  entry: string,
  slot: string,
): void {
  const node = context.graph.get("ServiceName", slot)?.attributes.node ?? "";
  if (!isInMaintenance(context, node)) return;
  const { action } = operation.attributes;
  if (action !== "start" && action !== "restart") {
    finishWaiting(context, operation.id, entry);
    return;
  }
  const reason = `${node} is in maintenance: nothing is started there before \`halonctl node maintenance ${node} off\``;
  endOperation(context, operation.id, "failed", reason);
}

function finishWaiting(context: Context, id: string, entry: string): void {
  const operation = context.graph.get("Operation", id);
  if (operation === undefined) return;
  const waiting = operation.attributes.waiting.filter((other) => other !== entry);
  context.update.patch("Operation", id, { waiting });
  if (waiting.length === 0) endOperation(context, id, "done");
}

function slotOf(waiting: string): string {
  return waiting.slice(0, waiting.lastIndexOf("#"));
}

function incarnationOf(instance: string | undefined): number {
  return instance === undefined ? -1 : Number(instance.slice(instance.lastIndexOf("#") + 1));
}

function forgetOldOperations(context: Context): void {
  const all = context.graph.list("Operation");
  if (all.length <= operationsKeptMax) return;
  const oldest = all
    .filter((operation) => operation.attributes.state !== "running")
    .sort((a, b) => a.attributes.order - b.attributes.order)[0];
  if (oldest !== undefined) context.update.remove("Operation", oldest.id);
}
