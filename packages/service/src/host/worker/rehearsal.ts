import { defineService, z } from "../../index.ts";
import { threadEntry } from "../thread-entry.ts";
import { serve } from "./serve.ts";

/** A service that does nothing, written as all are. */
// biome-ignore lint/style/noDefaultExport: a service file has one
export default defineService({
  name: "rehearsal",
  version: "1.0.0",
  config: z.object({ text: z.string().default("") }),
  start: () => ({ check: () => ({ health: "ok" }) }),
});

/**
 * Starts, checks and stops that service, so that what every start runs has been loaded and compiled once.
 *
 * The first start in a thread takes twice as long as the second.
 */
export async function rehearse(): Promise<void> {
  const listeners = new Set<(message: unknown) => void>();
  await new Promise<void>((resolve) => {
    const call = (name: keyof typeof calls) => {
      const message = { id: name, type: "APPLY", path: [name], argumentList: [] };
      for (const listener of listeners) listener(message);
    };
    const calls = { check: () => call("stop"), stop: () => undefined };
    serve({
      data: {
        blobUrl: threadEntry("worker/rehearsal").href,
        node: "",
        service: "rehearsal",
        instance: "",
        config: {},
        resourceKinds: [],
      },
      port: {
        postMessage(message) {
          const { event, id } = message as { event?: { type: string }; id?: string };
          if (event?.type === "ready") call("check");
          if (id === "check") calls.check();
        },
        on: (_, listener) => listeners.add(listener),
        off: (_, listener) => listeners.delete(listener),
      },
      write: () => undefined,
      ended: () => resolve(),
    });
  });
}
