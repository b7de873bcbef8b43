/** What one URL is told of one applied entry. */
export interface Notification {
  readonly url: string;
  /** Of the last transaction of the entry that concerns it. */
  readonly index: number;
  /** Observed path → modified path → name of the operator. */
  readonly changes: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** JSON text of the body that is posted to the URL. */
export function notificationText(_notification: Notification, _term: number): string {
  throw new Error("not built");
}
