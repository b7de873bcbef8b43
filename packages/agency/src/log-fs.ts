/**
 * An open file of the log.
 *
 * Both forms of `write` and `datasync` exist because a short write is faster on the calling thread than a
 * journey through the thread pool, and a long one must not block it.
 */
export interface LogFile {
  /** Writes all of `data` at `position`, or throws. */
  writeSync(data: Uint8Array, position: number): void;
  datasyncSync(): void;
  write(data: Uint8Array, position: number): Promise<void>;
  datasync(): Promise<void>;
  /** Up to `length` bytes from `position`; fewer at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Cuts the file; durable when it resolves. */
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The few file operations that the log makes, so that tests can tear, lose and refuse each of them. */
export interface LogFs {
  /** Makes the directory and those above it. */
  mkdir(path: string): Promise<void>;
  readdir(path: string): Promise<readonly string[]>;
  size(path: string): Promise<number>;
  /** `create` fails on a file that exists; `edit` on one that does not. */
  open(path: string, mode: "create" | "edit"): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes names in the directory durable: created, renamed and removed ones. */
  syncDir(path: string): Promise<void>;
}
