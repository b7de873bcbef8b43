import { violated } from "../../invariants/invariant.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";

/** C13: no input that a core does not expect: nothing in the records is dead, and no rule threw. Exceptions end the run. */
export function expectedInputs(): ClusterInvariant {
  return {
    id: "C13",
    name: "inputs are expected",
    beforeRecord(_scene, { index, decisions }) {
      for (const { event, dead, firings } of decisions) {
        if (event.type === "RuleFailed")
          violated("C13", `a rule threw in record ${index}: ${JSON.stringify(event.data)}`);
        // Of many events no rule has to make something.
        if (dead !== null && firings.length === 0 && !dead.startsWith("no "))
          violated("C13", `${event.type} of record ${index} is dead: ${dead}`);
      }
    },
  };
}
