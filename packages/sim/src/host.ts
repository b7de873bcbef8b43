import type {
  AppendAnswer,
  HostSnapshotRefusal,
  Records,
  RecordsLeading,
  Replica,
  ReplicaInput,
} from "@halon/agency/core";
import {
  HostQuestions,
  type HostTurnInput,
  type LeadQuestion,
  type QuestionsView,
} from "./host-questions.ts";
import { type HostState, noHostState, withSlot } from "./host-snapshot.ts";
import { Prng } from "./prng.ts";
import type { HostSettings } from "./scenario.ts";

/** One slot that a host asked for. */
export interface HostAppend {
  readonly id: number;
  /** Unique in a run. */
  readonly nonce: number;
  readonly position: number;
  readonly epoch: number;
  /** Asked for a position or under an epoch that is known to be wrong. */
  readonly isProbe: boolean;
  readonly isHealing: boolean;
}

/** A slot that a host has taken into its state. */
export interface FoldedSlot {
  readonly position: number;
  readonly epoch: number;
  readonly nonce: number;
  readonly chain: number;
}

/** What the invariants see of a host; the lists are of the last step alone. */
export interface HostView extends HostState {
  readonly folded: readonly FoldedSlot[];
  /** States that it went on from: at its start, or from another member's snapshot. */
  readonly loaded: readonly HostState[];
  /** What was wrong with what its member gave it. */
  readonly wrong: string | null;
  /** Slots that the member holds in memory. */
  readonly heldSlots: number;
  /** Last epoch under which it has appended since the healing. */
  readonly healedEpoch: number;
  readonly askedSnapshots: number;
  readonly questions: QuestionsView;
  /** When its next turn is, from now. */
  pauseUs(): number;
  /** The step was looked at. */
  seen(): void;
}

type HostLog = Pick<Replica["records"], "base" | "installs" | "lastPosition" | "read">;
type HostInput = Extract<
  ReplicaInput,
  { readonly type: "appendRecord" | "confirmLead" | "hostSnapshot" }
>;

/** What a host does in one turn. */
interface HostTurn {
  readonly inputs: readonly HostInput[];
  readonly appends: readonly HostAppend[];
  readonly question: LeadQuestion | null;
}

const readBytesMax = 1024;
/** In a thousand. */
const probes = 30;
const overlaps = 150;
const hangs = 10;
const headBytes = 12;

/**
 * A host as Halon's coordinator is one: it folds the slots of its member's log, and appends its own while that leads.
 *
 * What it decides in one turn it does in the next one, so its member may have lost or won leadership in between.
 */
export class SimHost implements HostView {
  private readonly settings: HostSettings;
  private readonly prng: Prng;
  private state: HostState = noHostState;
  /** In the newest snapshot of the member. */
  private saved: HostState = noHostState;
  private installs = 0;
  private count = 0;
  private prepared: HostAppend | null = null;
  private waiting: HostAppend | null = null;
  private readonly appends = new Map<number, HostAppend>();
  private checkpoint: HostState | null = null;
  private readonly asked = new Map<number, HostState>();
  /** Under this epoch it appends no more. */
  private stoppedEpoch = 0;
  readonly questions: HostQuestions;
  folded: FoldedSlot[] = [];
  loaded: HostState[] = [];
  wrong: string | null = null;
  heldSlots = 0;
  healedEpoch = 0;

  constructor(settings: HostSettings, seed: number, saved: HostState) {
    this.settings = settings;
    this.prng = new Prng(seed, "host");
    this.questions = new HostQuestions(settings.questions ?? 0, new Prng(seed, "questions"));
    this.saved = saved;
    this.load();
  }

  get position(): number {
    return this.state.position;
  }

  get chain(): number {
    return this.state.chain;
  }

  get askedSnapshots(): number {
    return this.asked.size;
  }

  pauseUs(): number {
    const { gapUs } = this.settings;
    return this.prng.chance(hangs) ? 40 * gapUs : this.prng.between(50, 2 * gapUs);
  }

  seen(): void {
    this.folded = [];
    this.loaded = [];
  }

  /** Takes in what its member has applied. */
  follow(log: HostLog): void {
    if (log.installs !== this.installs) {
      this.installs = log.installs;
      this.load();
    }
    this.heldSlots = log.lastPosition - log.base;
    if (log.base !== this.saved.position)
      this.wrong ??= `its member holds slots after ${log.base}, the saved state is of ${this.saved.position}`;
    while (this.position < log.lastPosition) {
      const before = this.position;
      for (const slot of log.read(before + 1, readBytesMax)) {
        if (slot.position !== this.position + 1) break;
        this.state = withSlot(this.state, slot);
        const { position, epoch, data } = slot;
        this.folded.push({ position, epoch, nonce: nonceOf(data), chain: this.chain });
      }
      if (this.position > before) continue;
      this.wrong ??= `slot ${before + 1} does not follow; its member has those after ${log.base} to ${log.lastPosition}`;
      return;
    }
  }

  turn(log: HostLog, leading: RecordsLeading | null, input: HostTurnInput): HostTurn {
    const { nonce, isHealing } = input;
    const inputs: HostInput[] = [];
    const appends: HostAppend[] = [];
    if (this.prepared !== null) {
      const append = this.prepared;
      this.prepared = null;
      this.appends.set(append.id, append);
      appends.push(append);
      const { id, epoch, position } = append;
      inputs.push({ type: "appendRecord", id, epoch, position, data: this.dataOf(append) });
    } else if (this.waiting === null && leading !== null) this.prepare(leading, nonce, isHealing);
    if (this.checkpoint !== null) {
      const { position } = this.checkpoint;
      this.asked.set(nonce, this.checkpoint);
      this.checkpoint = null;
      inputs.push({ type: "hostSnapshot", id: nonce, position });
    } else if (this.isSnapshotDue(log)) this.checkpoint = this.state;
    const question = this.questions.ask(leading, input);
    if (question !== null)
      inputs.push({ type: "confirmLead", id: question.id, epoch: question.epoch });
    return { inputs, appends, question };
  }

  /** An append has ended; what it was. */
  appended(id: number, answer: AppendAnswer): HostAppend {
    const append = this.appends.get(id);
    if (append === undefined) throw new Error(`append ${id} ends twice, or was never asked for`);
    this.appends.delete(id);
    if (this.waiting !== append) return append;
    this.waiting = null;
    const { epoch, isProbe, isHealing } = append;
    if (answer.type === "committed" && isHealing && !isProbe) this.healedEpoch = epoch;
    const isOver = answer.type === "fenced" || answer.type === "lostLeadership";
    if (isOver && !isProbe) this.stoppedEpoch = epoch;
    return append;
  }

  /** What it gave for the snapshot `id`; null: what the newest one has. And whether its chunks come. */
  given(
    id: number | null,
    { base }: Records,
  ): { readonly host: HostState; readonly fails: boolean } {
    const asked = id === null ? this.saved : this.asked.get(id);
    if (asked === undefined) this.wrong ??= `its snapshot ${id} was answered before it was saved`;
    const host = asked ?? this.saved;
    if (host.position !== base)
      this.wrong ??= `its state of ${host.position} is saved as that of ${base}`;
    return { host, fails: id !== null && this.prng.chance(50) };
  }

  /** A snapshot with this state is durable. */
  hasSaved(host: HostState): void {
    this.saved = host;
  }

  snapshotDone(id: number, refusal: HostSnapshotRefusal | null): void {
    const asked = this.asked.get(id);
    if (asked === undefined) throw new Error(`host snapshot ${id} ends twice`);
    this.asked.delete(id);
    if (refusal === null && asked.position > this.saved.position)
      this.wrong ??= `its state of ${asked.position} is not in the snapshot`;
  }

  /** It ends; the next one goes on from what is saved. What was on its way to the member still arrives. */
  crash(log: HostLog, epoch: number): void {
    this.waiting = null;
    this.checkpoint = null;
    this.stoppedEpoch = epoch;
    this.load();
    this.follow(log);
  }

  private load(): void {
    this.state = this.saved;
    this.loaded.push(this.saved);
  }

  private isSnapshotDue({ base }: HostLog): boolean {
    if (this.position === 0 || this.position - base < this.settings.snapshotSlots) return false;
    return this.asked.size === 0 || (this.asked.size < 3 && this.prng.chance(overlaps));
  }

  private prepare(leading: RecordsLeading, nonce: number, isHealing: boolean): void {
    const { epoch } = leading;
    if (epoch === this.stoppedEpoch || this.position < leading.position) return;
    if (isHealing && this.healedEpoch === epoch) return;
    const next = this.position + 1;
    this.count += 1;
    const isProbe = !isHealing && this.prng.chance(probes);
    const wrong = isProbe ? this.prng.pick(["early", "late", "epoch"] as const) : null;
    this.prepared = {
      id: nonce,
      nonce,
      position: wrong === "early" ? next - 1 : wrong === "late" ? next + 1 : next,
      epoch: wrong === "epoch" ? epoch - 1 : epoch,
      isProbe,
      isHealing,
    };
    this.waiting = this.prepared;
  }

  private dataOf({ epoch, nonce }: HostAppend): Uint8Array {
    const data = new Uint8Array(headBytes + this.prng.below(this.settings.dataBytes));
    const view = new DataView(data.buffer);
    view.setUint32(0, nonce);
    view.setUint32(4, epoch);
    view.setUint32(8, this.count);
    return data;
  }
}

function nonceOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0);
}
