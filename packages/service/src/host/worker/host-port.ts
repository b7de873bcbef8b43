import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { ServicePort } from "./port.ts";

/** The host's end of a service in a thread. */
export interface HostPort extends ServicePort {
  /** Takes what has come already; call it when the thread has ended, before what follows from that. */
  drain(): void;
  close(): void;
}

/** The end of a thread may be heard before the last messages that it sent; `drain` puts them back in order. */
export function hostPortOf(port: MessagePort): HostPort {
  const listeners = new Set<(message: unknown) => void>();
  const tell = (message: unknown) => {
    for (const listener of [...listeners]) listener(message);
  };
  port.on("message", tell);
  return {
    postMessage: (message) => port.postMessage(message),
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
    drain() {
      for (;;) {
        const next = receiveMessageOnPort(port);
        if (next === undefined) return;
        tell(next.message);
      }
    },
    close: () => port.close(),
  };
}
