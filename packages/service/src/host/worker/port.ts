import type { Endpoint } from "comlink";

/**
 * One end of the way between a service and its host: a MessagePort, or what stands for one over a socket.
 *
 * Messages are plain data that JSON can hold, and arrive whole and in order.
 */
export interface ServicePort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

type Listener = Parameters<Endpoint["addEventListener"]>[1];

/** Comlink's endpoint over one end. */
export function endpointOf(port: ServicePort): Endpoint {
  const handlers = new Map<Listener, (data: unknown) => void>();
  return {
    postMessage: (message: unknown) => port.postMessage(message),
    addEventListener: (_type, listener) => {
      const handler = (data: unknown): void => {
        const event = { data } as MessageEvent;
        if (typeof listener === "function") listener(event);
        else listener.handleEvent(event);
      };
      handlers.set(listener, handler);
      port.on("message", handler);
    },
    removeEventListener: (_type, listener) => {
      const handler = handlers.get(listener);
      if (handler !== undefined) port.off("message", handler);
      handlers.delete(listener);
    },
  };
}
