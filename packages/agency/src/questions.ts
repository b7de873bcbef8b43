/** Questions to a replica that wait for their answers, by id. */
export class Questions<Answer> {
  readonly #waiting = new Map<number, (answer: Answer) => void>();

  ask(id: number): Promise<Answer> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  answer(id: number, answer: Answer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  answerAll(answer: Answer): void {
    for (const resolve of this.#waiting.values()) resolve(answer);
    this.#waiting.clear();
  }
}
