/** Tells people of what does not get well: first softly, then loudly. */
import { type DoContext, defineEvent, defineRules, events, on, z } from "@halon/rules";
import { msOf, Time } from "./duration.ts";

const Options = z.strictObject({
  /** A warning is raised about what is not well for so long. */
  warnAfter: Time.default("1m"),
  /** A critical alert is raised about what fails its check for so long. */
  failAfter: Time.default("5m"),
});

const StaysUnwell = defineEvent({
  type: "StaysUnwell",
  sentBy: "rule",
  schema: z.strictObject({ instance: z.string(), isLoud: z.boolean() }),
});

interface At {
  readonly service: string;
  readonly node: string;
}

const place = ({ service, node }: At): string => `${service}@${node}`;
const isBad = (health: string): boolean => health === "warn" || health === "fail";

export default defineRules(
  ({ warnAfter, failAfter }) => ({
    turnsBad: on(events.ServiceHealthChanged)
      .where(({ event, graph }) => isBad(event.health) && graph.wants(event.instance))
      .do(({ event, timer, memory }) => {
        const { instance, health } = event;
        const at = place(event);
        // From its first moment on: another change for the worse does not begin the wait anew.
        if (memory.get(at) !== instance)
          timer.after(`warn ${at}`, msOf(warnAfter), StaysUnwell, { instance, isLoud: false });
        memory.set(at, instance);
        if (health !== "fail") timer.cancel(`fail ${at}`);
        else if (!timer.pending(`fail ${at}`))
          timer.after(`fail ${at}`, msOf(failAfter), StaysUnwell, { instance, isLoud: true });
      }),

    staysBad: on(StaysUnwell)
      .where(({ event, graph }) => isBad(healthOf(graph, event.instance)))
      .do(({ event, graph, alert }) => {
        const found = graph.get("ServiceInstance", event.instance)?.attributes;
        if (found === undefined) return;
        const { health, reason = "its check says so" } = found;
        const severity = event.isLoud && health === "fail" ? "critical" : "warning";
        const text = `${place(found)} does not get well: ${health}, ${reason}`;
        alert.raise(place(found), { severity, text });
      }),

    turnsGood: on(events.ServiceHealthChanged)
      .where(({ event }) => event.health === "ok")
      .do((context) => calm(context, "it is well")),
    startsAnew: on(events.ServiceStarted).do((context) => calm(context, "it was started anew")),
    ends: on(events.ServiceStopped).do((context) => calm(context, "it was stopped")),
  }),
  { options: Options, events: [StaysUnwell] },
);

function healthOf(graph: DoContext<unknown>["graph"], instance: string): string {
  return graph.get("ServiceInstance", instance)?.attributes.health ?? "unknown";
}

function calm({ event, timer, alert, memory }: DoContext<At>, why: string): void {
  const at = place(event);
  if (memory.get(at) === undefined) return;
  memory.set(at, null);
  timer.cancel(`warn ${at}`);
  timer.cancel(`fail ${at}`);
  alert.clear(at, why);
}
