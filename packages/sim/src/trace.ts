import { describeMessage, describeState, type RaftState } from "@halon/raft";
import { describeHappening, isTold } from "./cluster/describe.ts";
import type { Happening } from "./cluster/happening.ts";
import type { HostAppend } from "./host.ts";
import { mix } from "./prng.ts";
import type { ProcessEffect, ProcessInput } from "./process.ts";

/** Events that a violation is told with. */
const violationEvents = 40;

/** Of a run of whole nodes; each is a long story. */
const clusterEvents = 120;

type TraceEvent =
  | { readonly type: "happening"; readonly time: number; readonly what: Happening }
  | { readonly type: "note"; readonly time: number; readonly text: string }
  | {
      readonly type: "step";
      readonly time: number;
      readonly input: ProcessInput;
      readonly after: RaftState;
      readonly effects: readonly ProcessEffect[];
    };

/** A hash of all that happened, and the last events; they become text only when somebody asks. */
export class Trace {
  private high = 0x2545f491;
  private low = 0x6c078965;
  private readonly ring: (TraceEvent | undefined)[] = [];
  private readonly kept: number;
  private count = 0;
  /** What members do is left out as long as they keep their roles. */
  private readonly isCoarse: boolean;
  private readonly roles = new Map<string, string>();

  constructor(kept: number | undefined, isCoarse = false) {
    this.kept = kept ?? (isCoarse ? clusterEvents : violationEvents);
    this.isCoarse = isCoarse;
  }

  /** Adds a number to the hash. */
  add(value: number): void {
    this.low = mix(this.low, value);
    this.high = (Math.imul(this.high, 0x01000193) ^ this.low) | 0;
  }

  note(time: number, text: string): void {
    this.ring[this.count++ % this.kept] = { type: "note", time, text };
  }

  step(
    time: number,
    input: ProcessInput,
    after: RaftState,
    effects: readonly ProcessEffect[],
  ): void {
    // A tick that changes nothing tells nothing.
    if (input.type === "tick" && effects.length === 0) return;
    if (this.isCoarse && after.role === this.roles.get(after.id)) return;
    if (this.isCoarse) this.roles.set(after.id, after.role);
    this.ring[this.count++ % this.kept] = { type: "step", time, input, after, effects };
  }

  /** What happened in a cluster. */
  saw(time: number, what: Happening): void {
    if (isTold(what)) this.ring[this.count++ % this.kept] = { type: "happening", time, what };
  }

  /** 16 hexadecimal digits; equal for equal runs. */
  hash(): string {
    return [this.high, this.low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** The last events, oldest first, as text. */
  lines(): readonly string[] {
    const lines: string[] = [];
    for (let i = Math.max(0, this.count - this.kept); i < this.count; i++) {
      const event = this.ring[i % this.kept];
      if (event !== undefined) lines.push(lineOf(event));
    }
    return lines;
  }
}

function lineOf(event: TraceEvent): string {
  const time = (event.time / 1000).toFixed(3).padStart(12);
  if (event.type === "happening") return `${time} ms  ${describeHappening(event.what)}`;
  if (event.type === "note") return `${time} ms  ** ${event.text}`;
  const effects = event.effects.map((effect) => `\n${" ".repeat(18)}${effectLine(effect)}`);
  return `${time} ms  ${describeState(event.after)} <- ${inputLine(event.input)}${effects.join("")}`;
}

function inputLine(input: ProcessInput): string {
  switch (input.type) {
    case "receive":
      return `receive ${describeMessage(input.message)}`;
    case "request":
      return `request ${input.id} ${JSON.stringify(input.request)}`;
    case "persisted":
      return `persisted ${input.ticket}`;
    case "snapshotSaved":
    case "snapshotFailed":
    case "snapshotInstalled":
      return `${input.type} ${input.snapshot.meta.index}`;
    case "peerLost":
      return `peerLost ${input.peer}`;
    case "load":
      return `load ${input.timeoutMult}`;
    case "tick":
    case "flush":
    case "apply":
    case "stepDown":
    case "campaign":
      return input.type;
    case "hostTurn":
      return `hostTurn ${input.nonce}`;
    case "store":
      return `its coordinator: ${input.input.type}`;
  }
}

function effectLine(effect: ProcessEffect): string {
  switch (effect.type) {
    case "send":
      return `send ${describeMessage(effect.message)}`;
    case "persist": {
      const { ticket, hardState, truncateFrom, entries, whenDurable } = effect;
      const hard = hardState === null ? "" : ` term ${hardState.term} vote ${hardState.votedFor}`;
      const cut = truncateFrom === null ? "" : ` truncate from ${truncateFrom}`;
      const first = entries[0];
      const kept =
        first === undefined ? "" : ` entries ${first.term}/${first.index}+${entries.length}`;
      const then = whenDurable.map((message) => `; then ${describeMessage(message)}`).join("");
      return `persist ${ticket}${hard}${cut}${kept}${then}`;
    }
    case "answer":
      return `answer ${effect.id} ${JSON.stringify(effect.answer)}`;
    case "sendSnapshot":
      return `sendSnapshot ${effect.snapshot.index} to ${effect.to} from byte ${effect.offset}`;
    case "receiveSnapshot":
      return `receiveSnapshot ${effect.snapshot.index} at byte ${effect.offset}`;
    case "installSnapshot":
      return `installSnapshot ${effect.snapshot.index} keepLog=${effect.keepLog}`;
    case "takeSnapshot":
      return `takeSnapshot ${effect.snapshot.meta.index}`;
    case "compactLog":
      return `compactLog ${effect.firstIndex}`;
    case "hostAppend":
      return `host asks for ${slotLine(effect.append)}`;
    case "hostAppended":
      return `${slotLine(effect.append)}: ${effect.answer.type}`;
    case "hostAsks":
      return `host asks whether it leads in ${effect.question.epoch}, question ${effect.question.id}`;
    case "hostAnswered":
      return `question ${effect.question.id}: ${effect.leads ? "leads" : "does not lead"}`;
    case "hostSnapshotDone":
      return `host snapshot: ${effect.refusal ?? "saved"}`;
    case "removed":
    case "applyMore":
    case "notify":
      return effect.type;
  }
}

function slotLine({ position, epoch, nonce }: HostAppend): string {
  return `slot ${position} of epoch ${epoch}, nonce ${nonce}`;
}
