import { threadEntry } from "../thread-entry.ts";
import { serve } from "./serve.ts";

/** What is called, one after the other. */
const calls: readonly { readonly name: string; readonly args: readonly unknown[] }[] = [
  { name: "check", args: [] },
  { name: "call", args: ["hello", ["you"]] },
  { name: "stop", args: [] },
];

/**
 * Starts, calls and stops the service of `rehearsed.ts`, so that what every start runs has been loaded and compiled once.
 *
 * The first start in a thread takes twice as long as the second. Twice, as a file is loaded in two ways.
 */
export async function rehearse(): Promise<void> {
  const { href } = threadEntry("worker/rehearsed");
  await rehearseWith(href);
  await rehearseWith(`${href}?generation=1`);
}

function rehearseWith(blobUrl: string): Promise<void> {
  const listeners = new Set<(message: unknown) => void>();
  const waiting = calls.values();
  const callNext = () => {
    const { value } = waiting.next();
    if (value === undefined) return;
    const { name, args } = value;
    const argumentList = args.map((arg) => ({ type: "RAW", value: arg }));
    for (const listener of listeners) {
      listener({ id: name, type: "APPLY", path: [name], argumentList });
    }
  };
  return new Promise((resolve) => {
    serve({
      data: {
        blobUrl,
        node: "",
        service: "rehearsed",
        instance: "",
        config: {},
        resourceKinds: [],
      },
      port: {
        postMessage(message) {
          const { event, id } = message as { event?: { type: string }; id?: string };
          if (event?.type === "ready" || id !== undefined) callNext();
        },
        on: (_, listener) => listeners.add(listener),
        off: (_, listener) => listeners.delete(listener),
      },
      write: () => undefined,
      ended: () => resolve(),
    });
  });
}
