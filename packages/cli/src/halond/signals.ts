/** What a person or an init system can ask a running `halond` for. */
export interface SignalActions {
  /** Stop, cleanly. */
  readonly stop: (options: { readonly keepServices: boolean }) => void;
  /** Stop now: the second signal. */
  readonly abandon: () => void;
  /** Open log files again, after a rotation. */
  readonly reopenLogs: () => void;
}

/** Follows the signals of the process until the returned function is called. */
export function onSignals({ stop, abandon, reopenLogs }: SignalActions): () => void {
  let isStopping = false;
  const ask = (keepServices: boolean) => () => {
    if (isStopping) return abandon();
    isStopping = true;
    stop({ keepServices });
  };
  const handlers = [
    ["SIGTERM", ask(false)],
    ["SIGINT", ask(false)],
    ["SIGUSR2", ask(true)],
    ["SIGHUP", reopenLogs],
  ] as const;
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
