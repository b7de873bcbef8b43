import { type Command, compareCommandIds } from "@halon/protocol";

/** Commands whose ids are remembered, so that one sent again is not begun again. */
const remembered = 20_000;

export type CommandVerdict =
  | { readonly type: "begin" }
  /** It was begun before; its answer is on its way or has arrived. */
  | { readonly type: "known" }
  /** Of a deposed coordinator. Its successor has the same command and sends it itself: it needs no answer. */
  | { readonly type: "stale"; readonly code: "HAL_COMMAND_STALE"; readonly reason: string }
  | { readonly type: "refuse"; readonly code: "HAL_COMMAND_STALE"; readonly reason: string };

/** Which commands a node begins: each once, and none of a deposed coordinator. */
export class CommandIntake {
  #epoch = 0;
  #isStopping = false;
  #last: string | null = null;
  readonly #begun = new Set<string>();

  /** The last command begun, by the order in which they were decided; null before the first. */
  get last(): string | null {
    return this.#last;
  }

  /** From now on every command is refused. */
  stop(): void {
    this.#isStopping = true;
  }

  /** The coordinator of this epoch has taken the node in. False: it is deposed, a later one had done so before. */
  follow(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  take(command: Command): CommandVerdict {
    if (this.#begun.has(command.id)) return { type: "known" };
    if (command.epoch < this.#epoch) {
      const reason = `the command is of epoch ${command.epoch}, and epoch ${this.#epoch} has taken over`;
      return { type: "stale", code: "HAL_COMMAND_STALE", reason };
    }
    this.#epoch = command.epoch;
    if (this.#isStopping)
      return { type: "refuse", code: "HAL_COMMAND_STALE", reason: "the node is stopping" };
    this.#begun.add(command.id);
    if (this.#begun.size > remembered) {
      for (const oldest of this.#begun) {
        this.#begun.delete(oldest);
        break;
      }
    }
    if (this.#last === null || compareCommandIds(command.id, this.#last) > 0)
      this.#last = command.id;
    return { type: "begin" };
  }
}
