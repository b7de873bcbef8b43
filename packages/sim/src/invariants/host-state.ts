import { type Invariant, violated } from "./invariant.ts";

/**
 * I24: slots that a member holds follow the state of its host that its disk has, without a gap; also after a restart
 * and after a snapshot of another member (rfc/0006, Records in the agency).
 */
export function hostState(): Invariant {
  return {
    id: "I24",
    name: "slots follow the host's state",
    afterStep(_world, { member }) {
      const wrong = member.process?.host?.wrong ?? null;
      if (wrong !== null) violated("I24", `the host of ${member.id}: ${wrong}`);
    },
  };
}
