import type { RunnerEvent } from "../runner.ts";
import type { Instance, InstanceHost } from "./instance.ts";
import { placeOf } from "./report.ts";

/** As much as an event takes of a reason. */
const reasonCharsMax = 4_000;

/** Takes in what a runner reports. What an ended instance says is too late and changes nothing. */
export function hear(instance: Instance, host: InstanceHost, event: RunnerEvent): void {
  const at = placeOf(instance.spec);
  const textOf = (text: string) => instance.secrets.clean(text).slice(0, reasonCharsMax);
  switch (event.type) {
    case "loaded":
    case "ready":
      instance.take({ type: event.type });
      return;
    case "problem": {
      const { code, failureCode, exit } = event;
      const cause = { code, reason: textOf(event.reason), cause: event.cause, failureCode };
      if (exit === undefined) instance.take({ type: "failed", cause });
      else instance.take({ type: "crashed", cause, exit });
      return;
    }
    case "exiting":
      instance.take({ type: "exiting", reason: textOf(event.reason) });
      return;
    case "trouble":
      takeTrouble(instance, host, event, textOf(event.reason));
      return;
    case "exited": {
      const { exit, cause } = event;
      instance.take({ type: "exited", exit, reason: textOf(event.reason), cause });
      return;
    }
    case "acquired": {
      if (!Object.hasOwn(instance.spec.manifest.resources, event.kind)) return;
      const { kind, id, attributes } = event;
      const cleaned = instance.secrets.cleanJson(attributes);
      const data = { ...at, kind, id, attributes: cleaned as Record<string, never> };
      host.emit({ type: "ResourceAcquired", data });
      return;
    }
    case "released": {
      const { kind, id } = event;
      host.emit({ type: "ResourceReleased", data: { ...at, kind, id } });
      return;
    }
    case "reconfigured":
      host.reconfigured(instance, event.config);
      return;
  }
}

/** It waits for the answer, which is a command; until then it runs on as it can. */
function takeTrouble(
  instance: Instance,
  host: InstanceHost,
  { ref, code, data }: Extract<RunnerEvent, { type: "trouble" }>,
  reason: string,
): void {
  if (instance.state === "stopping" || instance.state === "killing") return;
  instance.troubles.set(ref, { code, reason });
  const more = data === undefined ? {} : { data: instance.secrets.cleanJson(data) };
  host.emit({
    type: "ServiceTrouble",
    data: { ...placeOf(instance.spec), ref, code, reason, ...more },
  });
}
