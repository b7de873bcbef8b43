/** Says what is waited for: at once when that is something else, and again and again while it lasts. */
export class Speaker {
  readonly #print: (text: string) => void;
  readonly #timer: NodeJS.Timeout;
  #stage = "";
  #text = "";

  constructor(print: (text: string) => void, everyMs: number) {
    this.#print = print;
    this.#timer = setInterval(() => this.#say(), everyMs);
  }

  /** What is waited for now; empty before the first. */
  get text(): string {
    return this.#text;
  }

  /** Changes the text; it is said at once when the stage is another. */
  waitFor(stage: string, text: string): void {
    this.#text = text;
    if (stage === this.#stage) return;
    this.#stage = stage;
    this.#say();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #say(): void {
    if (this.#text !== "") this.#print(this.#text);
  }
}
