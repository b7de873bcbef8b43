import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

const ends: ReadonlySet<string> = new Set([
  "ServiceStopped",
  "ServiceFailed",
  "ServiceExited",
  "ServiceCouldNotStart",
]);
/** So many ids are remembered; beyond that only the incarnations of slots are compared. */
const rememberedMax = 20_000;

/**
 * C6: what is stopped, removed or moved away is not started again by what comes late: an instance is started once by each
 * start of `halond`, never after that one told of its end or a record has it, and never after a later one of its slot.
 *
 * Once more: when `halond` dies before what it tells is in a record, the next one gets the same command.
 */
export function notAgain(): ClusterInvariant {
  const over = new Set<string>();
  const slots = new Map<string, { readonly incarnation: number; readonly host: number }>();
  return {
    id: "C6",
    name: "what is over is not started again",
    beforeRecord(_scene, { decisions }) {
      for (const { event, origin } of decisions)
        if (origin.type === "sequence" && ends.has(event.type)) over.add(instanceIn(event.data));
      forgetOldest(over);
    },
    saw(_scene, what) {
      if (what.type === "emitted" && ends.has(what.event.type))
        over.add(`${instanceIn(what.event.data)} ${what.node.incarnation}`);
      if (what.type !== "launched") return;
      const { instance, host } = what.process;
      const at = instance.lastIndexOf("#");
      const slot = instance.slice(0, at);
      const incarnation = Number(instance.slice(at + 1));
      const last = slots.get(slot) ?? { incarnation: 0, host: 0 };
      if (over.has(instance) || over.has(`${instance} ${host}`))
        violated("C6", `${instance} starts, and its end was told before`);
      if (incarnation < last.incarnation || (incarnation === last.incarnation && host <= last.host))
        violated("C6", `${instance} starts after incarnation ${last.incarnation} of ${slot}`);
      slots.set(slot, { incarnation, host });
    },
  };
}

function instanceIn(data: unknown): string {
  return String((data as Readonly<Record<string, unknown>>)["instance"]);
}

function forgetOldest(over: Set<string>): void {
  for (const oldest of over) {
    if (over.size <= rememberedMax) return;
    over.delete(oldest);
  }
}
