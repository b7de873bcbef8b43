import type { Change, DecisionRecord, Firing, Origin } from "@halon/protocol";
import { addLetter, foldKnown, foldLetters, type LetterSource } from "./dead-letters.ts";
import { deepFreeze } from "./frozen.ts";
import { type CoordinatorState, clientIdsMax, patternsIn } from "./state.ts";

/** When a record is written: its index, and wall time in ms. */
type Moment = Pick<DecisionRecord, "index" | "wallTime">;

/**
 * Applies a record to the state from which it was decided.
 *
 * Throws when the record does not follow the state's last one: that is a bug or a damaged log.
 */
export function fold(state: CoordinatorState, record: DecisionRecord): void {
  if (record.index !== state.index + 1) {
    throw new RangeError(`record ${record.index} does not follow record ${state.index}`);
  }
  const changes = record.decisions.flatMap((decision) =>
    decision.firings.flatMap((firing) => firing.changes),
  );
  if (changes.length > 0) state.graph.apply({ revision: record.revision, changes });
  for (const decision of record.decisions) {
    foldOrigin(state, record, decision.origin);
    foldIntake(state, record.index, decision.origin, decision.settles);
    for (const { rule, ...contribution } of decision.contributions ?? [])
      state.matching.take(rule, contribution, record.logTime);
    for (const firing of decision.firings) foldFiring(state, firing);
    foldEnd(state, record, decision);
  }
  foldRuleFiles(state, record, changes);
  foldStamp(state, record);
}

/** What time alone has completed is the first that is due, here as where it was decided. */
function foldOrigin(
  { matching }: CoordinatorState,
  { index, logTime }: DecisionRecord,
  origin: Origin,
): void {
  if (origin.type !== "pattern") return;
  const due = matching.due(logTime);
  if (due?.rule === origin.rule && due.match.key === origin.key) return;
  throw new RangeError(
    `record ${index} has the end of ${origin.rule} for "${origin.key}", which is not due first`,
  );
}

/**
 * At the end of a record: rule files that came with it begin with the next, and those that went leave nothing behind. Dead letters
 * that a file knows are decided once more.
 */
export function foldRuleFiles(
  state: CoordinatorState,
  { index, wallTime }: Moment,
  changes: readonly Change[],
): void {
  const isOfRules = changes.some((change) => "key" in change && change.key.startsWith("RuleFile/"));
  if (isOfRules) {
    state.matching.bring(patternsIn(state.graph));
    dropKept(state, { index, wallTime });
  }
  foldKnown(state, index, isOfRules);
}

function dropKept(state: CoordinatorState, { index, wallTime }: Moment): void {
  for (const file of state.kept.files()) {
    if (state.graph.get("RuleFile", file) !== undefined) continue;
    const reason = `it was kept for the rule file ${file}, which was removed`;
    for (const event of state.kept.drop(file))
      addLetter(state, { index, time: wallTime, event, reason, attempts: 1 });
  }
}

export function foldStamp(
  state: CoordinatorState,
  stamp: { readonly index: number; readonly epoch: number; readonly logTime: number },
): void {
  state.index = stamp.index;
  state.epoch = stamp.epoch;
  state.logTime = stamp.logTime;
}

/** Counts the event as taken, and the command that it answers as answered. */
export function foldIntake(
  state: CoordinatorState,
  index: number,
  origin: Origin,
  settles: string | null,
): void {
  switch (origin.type) {
    case "sequence":
      state.watermarks.set(origin.source, {
        incarnation: origin.incarnation,
        sequence: origin.sequence,
      });
      break;
    case "client":
      rememberClientId(state, origin.id, index);
      break;
    case "timer":
      state.timers.disarm(origin.key);
      break;
    case "kept":
      state.kept.shift(origin.file);
      break;
    case "letter":
      state.retries.shift();
      break;
    case "derived":
    case "pattern":
    case "invariant":
      break;
  }
  if (settles !== null) forgetCommand(state, settles);
}

function rememberClientId(state: CoordinatorState, id: string, index: number): void {
  state.clientIds.set(id, index);
  if (state.clientIds.size <= clientIdsMax) return;
  for (const oldest of state.clientIds.keys()) {
    state.clientIds.delete(oldest);
    return;
  }
}

/** Everything a firing did but its changes of the graph. */
export function foldFiring(state: CoordinatorState, firing: Firing): void {
  const file = firing.rule.slice(0, firing.rule.indexOf("/"));
  for (const { key, value } of firing.memory) {
    const memory = state.memories.get(file) ?? new Map();
    if (value === null) memory.delete(key);
    else memory.set(key, deepFreeze(value));
    state.memories.set(file, memory);
  }
  for (const timer of firing.timers) {
    if (timer.type === "arm")
      state.timers.arm({ key: timer.key, due: timer.due, event: timer.event });
    else state.timers.disarm(timer.key);
  }
  for (const id of firing.cancelled) forgetCommand(state, id);
  for (const command of firing.commands) {
    state.outbox.add(deepFreeze(command));
    const { id, node, action } = command;
    state.timers.arm({
      key: expiryKey(id),
      due: command.deadline,
      event: {
        type: "CommandExpired",
        data: { command: id, node, action: action.type, instance: action.instance },
      },
    });
  }
}

/** The end of a decision: the event is kept for a rule file, or dead letters come of it, or go. */
export function foldEnd(state: CoordinatorState, moment: Moment, decision: LetterSource): void {
  if (decision.kept !== undefined) state.kept.add(decision.kept, decision.event);
  foldLetters(state, moment, decision);
}

function forgetCommand(state: CoordinatorState, id: string): void {
  state.outbox.remove(id);
  state.timers.disarm(expiryKey(id));
}

/** No rule file has a name that begins like this, so no rule can take such a timer for its own. */
function expiryKey(commandId: string): string {
  return `@command/${commandId}`;
}
