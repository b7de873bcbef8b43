import { HalonError } from "@halon/protocol";

/** Calls that end: comlink itself leaves a call pending for ever when the peer dies. */
export interface Guard {
  /** The call's own end, HAL_TIMEOUT at the deadline, or HAL_SERVICE_NOT_RUNNING when the peer is gone. */
  run<T>(name: string, call: () => Promise<T>, timeoutMs: number): Promise<T>;
  /** Rejects all that is pending and all that comes later. */
  close(reason: string): void;
}

/** A guard for the calls to one peer. */
export function createGuard(): Guard {
  const pending = new Set<(error: HalonError) => void>();
  let closed: string | null = null;
  const gone = (name: string, reason: string) =>
    new HalonError("HAL_SERVICE_NOT_RUNNING", `No answer to ${name}: ${reason}.`);
  return {
    run<T>(name: string, call: () => Promise<T>, timeoutMs: number): Promise<T> {
      if (closed !== null) return Promise.reject(gone(name, closed));
      return new Promise<T>((resolve, reject) => {
        const settle = (act: () => void) => {
          clearTimeout(timer);
          pending.delete(fail);
          act();
        };
        const fail = (error: HalonError) => settle(() => reject(error));
        const timer = setTimeout(() => {
          fail(new HalonError("HAL_TIMEOUT", `No answer to ${name} within ${timeoutMs} ms.`));
        }, timeoutMs);
        pending.add(fail);
        call().then(
          (value) => settle(() => resolve(value)),
          (error: unknown) => settle(() => reject(error)),
        );
      });
    },
    close(reason) {
      closed = reason;
      for (const fail of [...pending]) fail(gone("a call", reason));
    },
  };
}
