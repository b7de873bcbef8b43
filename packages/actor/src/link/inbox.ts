/** A queue with one reader, who waits with a deadline. */
export class Inbox<T> {
  #items: T[] = [];
  #wake: (() => void) | null = null;
  #closed = false;

  get count(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** The reader gets what is there, then null. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** The next; null after the deadline or at the end. */
  async take(timeoutMs: number): Promise<T | null> {
    if (this.#items.length === 0 && !this.#closed) await this.#wait(timeoutMs);
    return this.#items.shift() ?? null;
  }

  #wait(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#wake = done;
    });
  }
}
