import {
  builtInEvents,
  type DeadLetterList,
  type Decision,
  type ErrorData,
  type EventEnvelope,
  events,
  type Firing,
  type GraphView,
  type Json,
} from "@halon/protocol";
import type { EventInput } from "./intake.ts";
import { isInForce } from "./rule-files.ts";
import type { CoordinatorState } from "./state.ts";

/** Dead letters that are kept for people, and as many that wait to be decided once more. */
export const deadLettersMax = 1_000;
/** Of one record. */
export const lettersInRecordMax = 512;

/** An event that nothing has handled, or on which a rule threw. */
export interface DeadLetter {
  /** Of the record in which it became one; `time` is wall time in ms. */
  readonly index: number;
  readonly time: number;
  readonly event: EventEnvelope;
  readonly reason: string;
  /** How often it has become one. */
  readonly attempts: number;
  /** The rule that threw on it; what others made of the event stays. Absent: no rule has handled it. */
  readonly rule?: string;
  /** Why it cannot be decided once more. */
  readonly final?: string;
  /** Nothing in force then declared the event's type in its version: it is decided once more when a rule file does. */
  readonly isUnknown?: boolean;
}

type Letters = Pick<CoordinatorState, "deadLetters" | "retries" | "lettersDropped">;
/** What a decision says of its letters. */
export type LetterSource = Pick<
  Decision,
  "event" | "origin" | "contributions" | "firings" | "dead" | "kept"
>;

const failed: string = events.RuleFailed.type;
const retryAsked: string = events.DeadLetterRetryRequested.type;
const dropAsked: string = events.DeadLetterDropRequested.type;
/** What only the engine can give to a rule or a job; the event alone would mean something else. */
const ofEngine: ReadonlySet<string> = new Set([
  events.PatternDue.type,
  events.JobRequested.type,
  events.JobCancelRequested.type,
  events.JobTimerDue.type,
  events.JobsMoveDue.type,
]);

/** The end of what nobody handled, of what rules threw on, and of what a person says about such. */
export function foldLetters(
  state: CoordinatorState,
  { index, wallTime }: { readonly index: number; readonly wallTime: number },
  decision: LetterSource,
): void {
  const { event, origin, firings, dead } = decision;
  const attempts = origin.type === "letter" ? origin.attempts + 1 : 1;
  const about = { index, time: wallTime, event, attempts };
  if (dead !== null) {
    const rule = origin.type === "letter" ? origin.rule : undefined;
    addLetter(state, { ...about, reason: dead, ...(rule === undefined ? {} : { rule }) });
  }
  for (const firing of firings) {
    const reason = thrownBy(firing, event);
    if (reason === null) continue;
    const final = finalOf(decision, firing);
    const letter = { ...about, reason, rule: firing.rule };
    addLetter(state, final === null ? letter : { ...letter, final });
  }
  if (firings.length > 0) foldRequest(state, event);
}

/** At the end of a record: which of its letters nothing in force knows, and which of all a file that came knows now. */
export function foldKnown(state: CoordinatorState, index: number, hasNewFiles: boolean): void {
  const { deadLetters, graph } = state;
  if (deadLetters.length === 0 || (!hasNewFiles && deadLetters.at(-1)?.index !== index)) return;
  const declared = declaredIn(graph);
  for (let at = deadLetters.length - 1; at >= 0; at -= 1) {
    const letter = deadLetters[at];
    if (letter?.index !== index) break;
    const { rule, event } = letter;
    if (rule === undefined && !isBuiltIn(event) && !declared.has(typeOf(event)))
      deadLetters[at] = { ...letter, isUnknown: true };
  }
  if (hasNewFiles)
    retryThose(state, ({ isUnknown, event }) => isUnknown === true && declared.has(typeOf(event)));
}

/** The event became a dead letter; the oldest makes room. */
export function addLetter(state: Letters, letter: DeadLetter): void {
  state.deadLetters.push(letter);
  if (state.deadLetters.length <= deadLettersMax) return;
  state.deadLetters.shift();
  state.lettersDropped += 1;
}

/** Why a request about dead letters is refused; null when it is none, or there is something to do. */
export function refusedRequest(
  { deadLetters, retries }: Letters,
  { type, data }: EventInput,
): ErrorData | null {
  if (type !== retryAsked && type !== dropAsked) return null;
  const ids = idsOf(data);
  const found = deadLetters.filter(({ event }) => ids.has(event.id));
  const [first] = found;
  if (first === undefined) {
    const [id] = ids;
    const of = ids.size === 1 ? `the event ${id}` : `these ${ids.size} events`;
    const message = `There is no dead letter of ${of}: it was retried or dropped, or never was one. See \`halonctl event dead\`.`;
    return { code: "HAL_NOT_FOUND", message };
  }
  if (type === dropAsked) return null;
  if (found.every(({ final }) => final !== undefined)) {
    const message = `The event ${first.event.id} cannot be decided once more by ${first.rule}: ${first.final}. It can be dropped.`;
    return { code: "HAL_CONFLICT", message };
  }
  if (retries.length < deadLettersMax) return null;
  const message = `${retries.length} dead letters are about to be decided; try again.`;
  return { code: "HAL_TOO_MANY", message };
}

/** What people see of them. */
export function letterList({ deadLetters, retries, lettersDropped }: Letters): DeadLetterList {
  const letters = deadLetters.map(({ index, time, event, reason, attempts, rule, final }) => ({
    ...event,
    index,
    time: new Date(time).toISOString(),
    reason,
    attempts,
    ...(rule === undefined ? {} : { rule }),
    ...(final === undefined ? {} : { final }),
  }));
  return { letters, dropped: lettersDropped, waiting: retries.length };
}

function foldRequest(state: CoordinatorState, { type, data }: EventEnvelope): void {
  if (type !== retryAsked && type !== dropAsked) return;
  const ids = idsOf(data);
  if (type === retryAsked) retryThose(state, ({ event }) => ids.has(event.id));
  else takeThose(state.deadLetters, ({ event }) => ids.has(event.id));
}

/** Has letters decided once more, as far as there is room. */
function retryThose(
  { deadLetters, retries }: Letters,
  isMeant: (letter: DeadLetter) => boolean,
): void {
  let room = deadLettersMax - retries.length;
  const taken = takeThose(deadLetters, (letter) => {
    if (room === 0 || letter.final !== undefined || !isMeant(letter)) return false;
    room -= 1;
    return true;
  });
  retries.push(...taken);
}

function takeThose(
  letters: DeadLetter[],
  isMeant: (letter: DeadLetter) => boolean,
): readonly DeadLetter[] {
  const taken: DeadLetter[] = [];
  const left: DeadLetter[] = [];
  for (const letter of letters) (isMeant(letter) ? taken : left).push(letter);
  if (taken.length > 0) letters.splice(0, letters.length, ...left);
  return taken;
}

/** A rule file may publish anything under these types. */
function idsOf(data: Json): ReadonlySet<Json> {
  const { events: ids } = (data ?? {}) as { readonly events?: Json };
  return new Set(Array.isArray(ids) ? ids : []);
}

/** What the rule threw on this event; null when it did not. */
function thrownBy({ rule, published }: Firing, event: EventEnvelope): string | null {
  for (const { type, data } of published) {
    if (type !== failed) continue;
    const { rule: by, event: on, reason } = (data ?? {}) as Readonly<Record<string, Json>>;
    if (by === rule && on === event.id) return String(reason);
  }
  return null;
}

/** A rule runs on an event once; what had an effect before it threw is not taken back. */
function finalOf({ event, contributions, firings }: LetterSource, firing: Firing): string | null {
  if (ofEngine.has(event.type)) return `a ${event.type} cannot be made again`;
  if (contributions?.some(({ rule }) => rule === firing.rule) === true)
    return "its pattern had counted the event";
  const hasActed = firings.some((other) => other !== firing && other.rule === firing.rule);
  return hasActed ? "the rule had acted on the event in part" : null;
}

function isBuiltIn({ type, version }: EventEnvelope): boolean {
  const builtIn: Readonly<Record<string, { readonly version: number }>> = builtInEvents;
  return Object.hasOwn(builtIn, type) && builtIn[type]?.version === version;
}

/** Types of event, each with a version, that rule files in force here can read. */
function declaredIn(graph: GraphView): ReadonlySet<string> {
  const files = graph
    .list("RuleFile")
    .filter(
      ({ attributes }) =>
        isInForce(attributes) && attributes.retired !== true && attributes.runs !== "node",
    );
  return new Set(
    files.flatMap(({ attributes }) =>
      attributes.events.flatMap(({ type, version, from = [] }) =>
        [version, ...from].map((each) => typeOf({ type, version: each })),
      ),
    ),
  );
}

function typeOf({ type, version }: { readonly type: string; readonly version: number }): string {
  return `${type}@${version}`;
}
