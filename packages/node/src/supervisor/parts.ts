import {
  type CommandAction,
  type DataOf,
  type events,
  type InternalPart,
  instanceId,
  type Json,
  slotId,
  toErrorData,
} from "@halon/protocol";

export type PartName = InternalPart["part"];

/** How a part of Halon answers for itself. */
export interface PartAnswers {
  check(): Pick<InternalPart, "state" | "health" | "detail">;
  status(): Json | Promise<Json>;
}

/** Starts of a part within one start of its node that its instance ids can tell apart. */
const startsMax = 1_000;

export interface PartsOptions {
  readonly node: string;
  /** Of this start of `halond`. */
  readonly incarnation: number;
  emit(type: string, data: unknown): void;
}

interface Known {
  readonly start: number;
  readonly answers: PartAnswers;
  /** As it was last told; null before. */
  told: string | null;
}

/** The parts of Halon on this node, which are services as any other (rfc/0008): they are told of, and answer Check and Status. */
export class Parts {
  readonly #options: PartsOptions;
  readonly #parts = new Map<PartName, Known>();

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** The part has started, again if it was known before. */
  begin(part: PartName, answers: PartAnswers): void {
    const start = Math.min((this.#parts.get(part)?.start ?? 0) + 1, startsMax - 1);
    this.#parts.set(part, { start, answers, told: null });
    this.look();
  }

  /** Tells of the parts that are not as they were last told. */
  look(): void {
    for (const [part, known] of this.#parts) {
      const now = this.#describe(part, known);
      const text = JSON.stringify(now);
      if (text === known.told) continue;
      known.told = text;
      this.#options.emit("PartChanged", {
        node: this.#options.node,
        part: now,
      } satisfies DataOf<typeof events.PartChanged>);
    }
  }

  inventory(): InternalPart[] {
    return [...this.#parts].map(([part, known]) => this.#describe(part, known));
  }

  /** Whether the command is for a part: then it is carried out, and answered by an event. */
  perform(action: CommandAction, command: string): boolean {
    const found = [...this.#parts].find(([part]) => part === action.service);
    if (found === undefined) return false;
    const [part, known] = found;
    const id = this.#instanceOf(part, known);
    if (action.instance !== id) {
      this.#refuse(command, `${id} runs in its place`);
    } else if (action.type === "CheckService") {
      const { health, detail } = known.answers.check();
      this.#options.emit("ServiceChecked", {
        ...this.#at(part, id),
        command,
        health,
        ...(detail === undefined ? {} : { detail }),
      });
    } else if (action.type === "ReportStatus") {
      void this.#report(part, known, command);
    } else {
      this.#refuse(
        command,
        `${part} is a part of Halon: it can be checked and asked for its status`,
      );
    }
    return true;
  }

  async #report(part: PartName, known: Known, command: string): Promise<void> {
    try {
      const report = await known.answers.status();
      this.#options.emit("ServiceReported", {
        ...this.#at(part, this.#instanceOf(part, known)),
        command,
        report,
      });
    } catch (error) {
      this.#refuse(command, toErrorData(error).message);
    }
  }

  #refuse(command: string, reason: string): void {
    const { node, emit } = this.#options;
    emit("CommandRefused", { node, command, code: "HAL_CONFLICT", reason: reason.slice(0, 4_000) });
  }

  #describe(part: PartName, { start, answers }: Known): InternalPart {
    const { state, health, detail } = answers.check();
    return {
      part,
      start,
      state,
      health,
      ...(detail === undefined ? {} : { detail: detail.slice(0, 1_000) }),
    };
  }

  #at(part: PartName, instance: string) {
    return { node: this.#options.node, service: part, instance };
  }

  #instanceOf(part: PartName, { start }: Known): string {
    const { node, incarnation } = this.#options;
    return instanceId(slotId(part, node), incarnation * startsMax + start);
  }
}
