import { type Command, compareCommandIds, compareText } from "@halon/protocol";

/** Commands that are not answered yet, by node, in the order in which they were decided. */
export class Outbox {
  readonly #byNode = new Map<string, Map<string, Command>>();
  readonly #nodeOf = new Map<string, string>();

  get size(): number {
    return this.#nodeOf.size;
  }

  add(command: Command): void {
    const commands = this.#byNode.get(command.node) ?? new Map<string, Command>();
    commands.set(command.id, command);
    this.#byNode.set(command.node, commands);
    this.#nodeOf.set(command.id, command.node);
  }

  get(id: string): Command | undefined {
    const node = this.#nodeOf.get(id);
    return node === undefined ? undefined : this.#byNode.get(node)?.get(id);
  }

  /** Forgets the command; does nothing when it is not there. */
  remove(id: string): void {
    const node = this.#nodeOf.get(id);
    if (node === undefined) return;
    this.#nodeOf.delete(id);
    const commands = this.#byNode.get(node);
    commands?.delete(id);
    if (commands?.size === 0) this.#byNode.delete(node);
  }

  /** Commands to the node, oldest first. */
  of(node: string): readonly Command[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }

  countOf(node: string): number {
    return this.#byNode.get(node)?.size ?? 0;
  }

  nodes(): readonly string[] {
    return [...this.#byNode.keys()].sort(compareText);
  }

  /** All commands, oldest first. */
  toJSON(): Command[] {
    return [...this.#nodeOf.keys()].sort(compareCommandIds).flatMap((id) => this.get(id) ?? []);
  }
}
