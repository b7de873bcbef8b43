import { type CommandAction, type InternalPart, type Json, toErrorData } from "@halon/protocol";
import { type PartEffect, type PartName, PartsCore } from "../core/index.ts";
import type { PartState } from "../core/parts.ts";

/** How a part of Halon answers for itself. */
export interface PartAnswers {
  check(): PartState;
  status(): Json | Promise<Json>;
}

export interface PartsOptions {
  readonly node: string;
  /** Of this start of `halond`. */
  readonly incarnation: number;
  emit(type: string, data: unknown): void;
}

/** The parts of Halon on this node, which are services as any other (rfc/0008): they are told of, and answer Check and Status. */
export class Parts {
  readonly #options: PartsOptions;
  readonly #core: PartsCore;
  readonly #answers = new Map<PartName, PartAnswers>();

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#core = new PartsCore(options.node, options.incarnation);
  }

  /** The part has started, again if it was known before. */
  begin(part: PartName, answers: PartAnswers): void {
    this.#answers.set(part, answers);
    this.#carryOut(this.#core.begin(part, () => answers.check()));
  }

  /** Tells of the parts that are not as they were last told. */
  look(): void {
    this.#carryOut(this.#core.look());
  }

  inventory(): InternalPart[] {
    return this.#core.inventory();
  }

  /** Whether the command is for a part: then it is carried out, and answered by an event. */
  perform(action: CommandAction, command: string): boolean {
    const effects = this.#core.perform(action, command);
    if (effects !== null) this.#carryOut(effects);
    return effects !== null;
  }

  #carryOut(effects: readonly PartEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "emit") this.#options.emit(effect.event, effect.data);
      else void this.#report(effect);
    }
  }

  async #report(question: Extract<PartEffect, { type: "report" }>): Promise<void> {
    try {
      const report = (await this.#answers.get(question.part)?.status()) ?? null;
      this.#carryOut(this.#core.reported(question, report));
    } catch (error) {
      this.#carryOut(this.#core.notReported(question.command, toErrorData(error).message));
    }
  }
}
