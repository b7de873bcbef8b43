import { events, keyOf, type Resource } from "@halon/protocol";
import { on, type Rule } from "@halon/rules";
import { type Context, isLive } from "./context.ts";
import { beginOperation, endOperation, failOperation } from "./operation.ts";
import { isPart, partRefusal } from "./part.ts";
import { askForConfiguration, forgetNotice } from "./placement.ts";
import { clearFailures } from "./restart.ts";
import { instanceOf, reconcileSlot, stopInstance } from "./slot.ts";
import { reasonToWait } from "./waiting.ts";

const answerDeadlineMs = 10_000;

interface Request {
  readonly operation: string;
  readonly service: string;
  readonly on?: string | undefined;
  readonly reason?: string | undefined;
}

/** Rules on what people and programs ask for. */
export const requestRules: Readonly<Record<string, Rule>> = {
  "start-requested": on(events.ServiceStartRequested).do((context) => {
    const slots = wantedSlots(context, "start", context.event);
    if (slots === undefined) return;
    for (const slot of slots) clearFailures(context, slot.id);
    begin(
      context,
      "start",
      context.event,
      slots.map((slot) => `${slot.id}#0`),
    );
    for (const slot of slots) reconcileSlot(context, slot.id);
  }),

  "stop-requested": on(events.ServiceStopRequested).do((context) => {
    const slots = wantedSlots(context, "stop", context.event);
    if (slots === undefined) return;
    for (const slot of slots) {
      clearFailures(context, slot.id);
      context.update.patch("ServiceName", slot.id, { halted: true });
    }
    begin(
      context,
      "stop",
      context.event,
      slots.map((slot) => `${slot.id}#${slot.attributes.incarnation}`),
    );
    for (const slot of slots) reconcileSlot(context, slot.id);
  }),

  "restart-requested": on(events.ServiceRestartRequested).do((context) => {
    const slots = wantedSlots(context, "restart", context.event);
    if (slots === undefined) return;
    for (const slot of slots) clearFailures(context, slot.id);
    const next = slots.map((slot) => `${slot.id}#${slot.attributes.incarnation + 1}`);
    begin(context, "restart", context.event, next);
    for (const slot of slots) {
      const instance = instanceOf(context, slot.id);
      const reason = context.event.reason ?? "a restart was asked for";
      if (instance !== undefined && isLive(instance.attributes.state))
        stopInstance(context, instance, reason);
      else reconcileSlot(context, slot.id);
    }
  }),

  "check-requested": on(events.ServiceCheckRequested).do((context) => {
    ask(context, "check", context.event);
  }),

  "status-requested": on(events.ServiceStatusRequested).do((context) => {
    ask(context, "status", context.event);
  }),

  "configuration-requested": on(events.ConfigurationRequested).do((context) => {
    const { event, graph, update } = context;
    const slots = wantedSlots(context, "configure", event);
    if (slots === undefined) return;
    update.put("Configuration", event.configHash, { value: event.config });
    context.memory.set(`configuration/${event.service}`, event.configHash);
    for (const slot of slots) {
      askForConfiguration(context, slot.id, event.configHash);
      // Whoever asks for the one to which it was taken back agrees to that.
      if (slot.attributes.halted !== true) forgetNotice(context, slot.id);
    }
    begin(
      context,
      "configure",
      event,
      slots.map((slot) => `${slot.id}#0`),
    );
    for (const slot of slots) reconcileSlot(context, slot.id);
    context.why(
      `${graph.list("ServiceName", { service: event.service }).length} slots want the new configuration`,
    );
  }),

  "operation-due": on(events.OperationDue).do((context) => {
    const waiting =
      context.graph.get("Operation", context.event.operation)?.attributes.waiting ?? [];
    const [why] = waiting.flatMap((entry) => {
      const slot = entry.slice(0, entry.lastIndexOf("#"));
      return reasonToWait(context, context.graph.get("ServiceName", slot));
    });
    endOperation(
      context,
      context.event.operation,
      "failed",
      `timed out waiting for ${waiting.join(", ")}${why === undefined ? "" : `: ${why}`}`,
    );
  }),
};

type Action = "start" | "stop" | "restart" | "check" | "status" | "configure";

function begin(
  context: Context,
  action: Action,
  request: Request,
  waiting: readonly string[],
): void {
  const where = request.on === undefined ? "" : `@${request.on}`;
  beginOperation(context, request.operation, action, `${request.service}${where}`, waiting);
  context.why(
    `${action} of ${request.service}${where}${request.reason === undefined ? "" : `: ${request.reason}`}`,
  );
}

/** The wanted slots that a request speaks of; the operation has failed when there is none. */
function wantedSlots(
  context: Context,
  action: Action,
  request: Request,
): Resource<"ServiceName">[] | undefined {
  if (isPart(request.service) && action !== "check" && action !== "status") {
    const { operation, service } = request;
    failOperation(context, operation, action, service, partRefusal(service));
    return undefined;
  }
  const where = request.on === undefined ? {} : { node: request.on };
  const slots = context.graph
    .list("ServiceName", { service: request.service, ...where })
    .filter(
      (slot) =>
        isPart(request.service) ||
        context.graph.out(keyOf("ServiceName", slot.id), "wants", "Service").length > 0,
    );
  if (slots.length > 0) return slots;
  const on = request.on === undefined ? "on any node" : `on ${request.on}`;
  const remedy =
    action === "start" ? `; \`halonctl service start ${request.service} --dry-run\` tells why` : "";
  failOperation(
    context,
    request.operation,
    action,
    request.service,
    `${request.service} is not wanted ${on}${remedy}`,
  );
  return undefined;
}

function ask(context: Context, action: "check" | "status", request: Request): void {
  const slots = wantedSlots(context, action, request);
  if (slots === undefined) return;
  const running = slots.flatMap((slot) => instanceOf(context, slot.id) ?? []).filter(canAnswer);
  if (running.length === 0) {
    failOperation(
      context,
      request.operation,
      action,
      request.service,
      `no instance of ${request.service} runs`,
    );
    return;
  }
  begin(
    context,
    action,
    request,
    running.map((instance) => instance.id),
  );
  for (const { id, attributes } of running) {
    context.command.send(
      attributes.node,
      {
        type: action === "check" ? "CheckService" : "ReportStatus",
        service: attributes.service,
        instance: id,
      },
      { deadlineMs: answerDeadlineMs },
    );
  }
}

function canAnswer(instance: Resource<"ServiceInstance">): boolean {
  return instance.attributes.state === "running" || instance.attributes.state === "degraded";
}
