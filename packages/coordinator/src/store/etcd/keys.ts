/** The keys below a prefix (rfc/0006). Numbers have a fixed width, so that their order is that of the keys. */
export interface Keys {
  readonly cluster: string;
  readonly owner: string;
  readonly epoch: string;
  readonly log: (position: number) => string;
  readonly logEnd: string;
  readonly head: string;
  readonly chunk: (position: number, number: number) => string;
  /** Before the first and after the last chunk of any snapshot; `head` is not among them. */
  readonly anyChunk: string;
  readonly anyChunkEnd: string;
}

export function keysOf(prefix: string): Keys {
  const log = `${prefix}/log/`;
  const snapshot = `${prefix}/snapshot/`;
  return {
    cluster: `${prefix}/cluster`,
    owner: `${prefix}/owner`,
    epoch: `${prefix}/epoch`,
    log: (position) => log + wide(position),
    // The character after "/" and the one after "9": past everything that begins with a digit.
    logEnd: `${log}:`,
    head: `${snapshot}head`,
    chunk: (position, number) => `${snapshot}${wide(position)}/${wide(number)}`,
    anyChunk: `${snapshot}0`,
    anyChunkEnd: `${snapshot}:`,
  };
}

/** The number at the end of a key, of a slot or a chunk. */
export const numberOf = (key: string): number => Number(key.slice(key.lastIndexOf("/") + 1));

const wide = (number: number): string => String(number).padStart(16, "0");
