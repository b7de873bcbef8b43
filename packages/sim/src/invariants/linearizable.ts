import { checkLinearizable } from "../linearizability.ts";
import { type Invariant, violated } from "./invariant.ts";

/** The recorded history of the clients is linearizable (Herlihy and Wing 1990). */
export function linearizable(): Invariant {
  return {
    id: "linearizable",
    name: "linearizable history",
    atEnd({ history }) {
      const verdict = checkLinearizable(history);
      if (verdict.type === "violation")
        violated(
          "linearizable",
          `${verdict.reason}; keys ${verdict.keys.join(", ")}:\n${verdict.window.map((operation) => JSON.stringify(operation)).join("\n")}`,
        );
    },
  };
}
