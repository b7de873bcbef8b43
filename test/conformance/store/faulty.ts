import type { Engine, Store } from "@halon/coordinator/store";
import { HalonError } from "@halon/protocol";

/** A store that drops its `nth` answer to an append: the outcome is unknown to the caller. */
export function cutReply(store: Store, nth: number, moment: "before" | "after"): Store {
  let count = 0;
  return withMember(store, "append", async (data, at) => {
    count += 1;
    if (count !== nth) return store.append(data, at);
    // "before": the request was lost; "after": the answer was.
    if (moment === "after") await store.append(data, at);
    throw new HalonError("HAL_STORE_FAILED", `the reply of append ${nth} was cut`);
  });
}

/** An engine whose owner ends when it has stored `slots` slots. */
export function crashing(engine: Engine, slots: number): Engine {
  let left = slots;
  return withMember(engine, "append", async (data, at) => {
    left -= 1;
    if (left < 0) throw new HalonError("HAL_STORE_FAILED", `ended after ${slots} slots`);
    return engine.append(data, at);
  });
}

/** An engine whose reads wait while it is stalled. */
export function stalled(engine: Engine): {
  readonly engine: Engine;
  stall(): void;
  resume(): void;
} {
  let gate: Promise<void> = Promise.resolve();
  let open: () => void = () => undefined;
  const read: Engine["read"] = async (from) => {
    await gate;
    return engine.read(from);
  };
  return {
    engine: withMember(engine, "read", read),
    stall() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    resume: () => open(),
  };
}

/** The same with another method, whatever the target is made of. */
function withMember<Target extends Store | Engine, Name extends keyof Target>(
  target: Target,
  replaced: Name,
  method: Target[Name],
): Target {
  return new Proxy(target, {
    get(_, name) {
      if (name === replaced) return method;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Bytes of which no part looks like another. */
export function patterned(size: number): Uint8Array {
  const data = new Uint8Array(size);
  for (let at = 0, x = 1; at < size; at++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    data[at] = x >>> 24;
  }
  return data;
}

/** Collects what a listener gets, and lets a test wait for a number of them. */
export function deliveries(): {
  readonly all: readonly string[];
  readonly deliver: (item: string) => void;
  readonly count: (n: number) => Promise<void>;
} {
  const all: string[] = [];
  const waiting: { n: number; done: () => void }[] = [];
  return {
    all,
    deliver(item) {
      all.push(item);
      for (const { n, done } of waiting) if (all.length >= n) done();
    },
    count: (n) =>
      new Promise((done) => {
        if (all.length >= n) done();
        else waiting.push({ n, done });
      }),
  };
}
