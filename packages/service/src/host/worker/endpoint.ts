import type { MessagePort } from "node:worker_threads";
import type { Endpoint } from "comlink";

type Handler = ((event: { data: unknown }) => void) | { handleEvent(e: { data: unknown }): void };

/** A port for comlink, whose own adapter for Node does not type-check under `nodenext`. */
export function nodeEndpoint(port: MessagePort): Endpoint {
  const listeners = new WeakMap<object, (data: unknown) => void>();
  const endpoint = {
    postMessage: (message: unknown, transfer?: never[]) => port.postMessage(message, transfer),
    addEventListener(_: string, handler: Handler) {
      const listener = (data: unknown) =>
        typeof handler === "function" ? handler({ data }) : handler.handleEvent({ data });
      listeners.set(handler, listener);
      port.on("message", listener);
    },
    removeEventListener(_: string, handler: Handler) {
      const listener = listeners.get(handler);
      if (listener !== undefined) port.off("message", listener);
    },
    start: () => port.start(),
  };
  return endpoint as unknown as Endpoint;
}
