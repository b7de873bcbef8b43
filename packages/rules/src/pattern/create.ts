import type { PatternDescription } from "@halon/protocol";
import { Join } from "./join.ts";
import type { Matcher } from "./matcher.ts";
import { All, Count, Sequence, Throttle } from "./occurrences.ts";
import { Sliding } from "./sliding.ts";
import { Absence, Debounce, Session, Tumbling } from "./timed.ts";

/** A matcher in which nothing has happened. */
export function createMatcher(pattern: PatternDescription): Matcher {
  switch (pattern.type) {
    case "count":
      return new Count(pattern);
    case "sequence":
      return new Sequence(pattern);
    case "all":
      return new All(pattern);
    case "absence":
      return new Absence(pattern);
    case "sliding":
      return new Sliding(pattern);
    case "tumbling":
      return new Tumbling(pattern);
    case "session":
      return new Session(pattern);
    case "throttle":
      return new Throttle(pattern);
    case "debounce":
      return new Debounce(pattern);
    case "join":
      return new Join(pattern);
  }
}
