import type { Outcome } from "./action.ts";
import { type Means, meaningOf } from "./codes.ts";

/** What a call says, for decisions and for people. */
export interface Verdict {
  /** `late`: it was ended at its deadline. `dropped`: it was ended for something else. */
  readonly means: Means | "late" | "dropped";
  /** What was called and how it ended, with what it wrote last. */
  readonly text: string;
}

/** Judges how a call of an agent ended. */
export function judge(action: string, outcome: Outcome): Verdict {
  switch (outcome.type) {
    case "returned": {
      const { word, means } = meaningOf(outcome.code);
      return {
        means,
        text: withLines(`${action} returned ${outcome.code} (${word})`, outcome.lines),
      };
    }
    case "signalled":
      return {
        means: "failed",
        text: withLines(`${action} was ended by ${outcome.signal}`, outcome.lines),
      };
    case "late":
      return {
        means: "late",
        text: withLines(`${action} did not end within ${outcome.timeoutMs} ms`, outcome.lines),
      };
    case "dropped":
      return { means: "dropped", text: `${action} was not waited for` };
    case "notRun":
      return { means: "unusable", text: outcome.reason };
  }
}

/** True when a monitor has found it running. */
export function isUp({ means }: Verdict): boolean {
  return means === "success" || means === "running" || means === "degraded";
}

function withLines(text: string, lines: readonly string[]): string {
  return lines.length === 0 ? text : `${text}; it last wrote:\n${lines.join("\n")}`;
}
