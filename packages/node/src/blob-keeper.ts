import { type ActorSystem, failure } from "@halon/actor";
import type { Blobs } from "@halon/coordinator";
import { HalonError, Hash, toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import { blobsName, bulk, type ToBlobs } from "./messages.ts";

/** A blob that a majority does not have by then is refused. */
const standardMajorityMs = 10_000;
const retryMs = 250;

const BlobRequest = z.object({ hash: Hash, own: z.boolean().default(false) });

export interface BlobKeeperOptions {
  readonly name: string;
  readonly system: ActorSystem;
  readonly blobs: Blobs;
  /** Names of the other tracking nodes; what a majority of them and this one has is safe. */
  readonly others: readonly string[];
  /** The node that leads, as far as it can be asked; this one's own name when it leads itself. */
  leader(): string | undefined;
  /** How long a majority may take to have a blob; 10 s. */
  readonly majorityMs?: number;
}

/** The blobs of this node, and the ways to those of others (rfc/0006). */
export class BlobKeeper {
  readonly #options: BlobKeeperOptions;
  /** Hashes that are on this node. */
  readonly #here = new Set<string>();
  /** Hashes that were found to be on a majority. */
  readonly #safe = new Set<string>();
  readonly #fetching = new Map<string, Promise<void>>();

  constructor(options: BlobKeeperOptions) {
    this.#options = options;
  }

  /** Finds what is here. Code that a disk has changed is not run: it is removed, and fetched again. */
  async find(damaged: (hash: string) => void): Promise<void> {
    const { blobs } = this.#options;
    for (const hash of await blobs.list()) {
      if (await blobs.verify(hash)) this.#here.add(hash);
      else damaged(hash);
    }
  }

  has(hash: string): boolean {
    return this.#here.has(hash);
  }

  /** Where the file is, when it is here. */
  path(hash: string): string {
    return this.#options.blobs.path(hash);
  }

  /** Stores it here and on other tracking nodes. Errors: HAL_UNREACHABLE when too few of them could in 10 s. */
  async put(hash: string, bytes: Uint8Array): Promise<void> {
    await this.#options.blobs.put(hash, bytes);
    this.#here.add(hash);
    await this.#spread([hash]);
  }

  /** Those that this node lacks; the others are on a majority when it resolves. Errors: as of `put`. */
  async missing(hashes: readonly string[]): Promise<readonly string[]> {
    const unsafe = hashes.filter((hash) => this.#here.has(hash) && !this.#safe.has(hash));
    if (unsafe.length > 0) await this.#spread(unsafe);
    return hashes.filter((hash) => !this.#here.has(hash));
  }

  /** Makes it be here: from the leader; the leader from any other tracking node. Errors: HAL_BLOB_MISSING. */
  fetch(hash: string): Promise<void> {
    if (this.#here.has(hash)) return Promise.resolve();
    const { name, others, leader } = this.#options;
    const from = leader();
    const sources = from === name ? others : from === undefined ? [] : [from];
    return this.#fetchFrom(hash, sources, { own: from === name });
  }

  /** Answers other nodes; for tracking nodes. */
  serve(): void {
    const { system, blobs } = this.#options;
    const fetch = (hash: string): Promise<void> => this.fetch(hash);
    system.serveBulk(bulk.blob, async function* (args) {
      const { hash, own } = BlobRequest.parse(args);
      if (!own) await fetch(hash);
      yield* blobs.read(hash);
    });
    const receive = (message: unknown): Promise<unknown> => this.#keep(message as ToBlobs);
    system.spawn(() => ({ receive }), { name: blobsName, mailboxMax: 1_000 });
  }

  async #keep({ hashes, from }: ToBlobs): Promise<unknown> {
    try {
      for (const hash of hashes) await this.#fetchFrom(Hash.parse(hash), [from], { own: true });
      return true;
    } catch (error) {
      return failure(toErrorData(error));
    }
  }

  #fetchFrom(
    hash: string,
    sources: readonly string[],
    how: { readonly own: boolean },
  ): Promise<void> {
    if (this.#here.has(hash)) return Promise.resolve();
    const known = this.#fetching.get(hash);
    if (known !== undefined) return known;
    const fetching = this.#fetchOnce(hash, sources, how).finally(() => this.#fetching.delete(hash));
    this.#fetching.set(hash, fetching);
    return fetching;
  }

  async #fetchOnce(
    hash: string,
    sources: readonly string[],
    { own }: { readonly own: boolean },
  ): Promise<void> {
    const { blobs, system } = this.#options;
    const reasons: string[] = [];
    if (await blobs.has(hash)) {
      this.#here.add(hash);
      return;
    }
    for (const source of sources) {
      try {
        await blobs.putChunks(hash, system.requestBulk(source, bulk.blob, { hash, own }));
        this.#here.add(hash);
        return;
      } catch (error) {
        reasons.push(`${source}: ${toErrorData(error).message}`);
      }
    }
    const why = reasons.length === 0 ? "no other node can be asked" : reasons.join("; ");
    const message = `no node has the blob ${hash} (${why}); apply the cluster file again, then start the service`;
    throw new HalonError("HAL_BLOB_MISSING", message);
  }

  async #spread(hashes: readonly string[]): Promise<void> {
    const { name, others, majorityMs = standardMajorityMs } = this.#options;
    const wanted = Math.floor((others.length + 1) / 2);
    const round = { deadline: performance.now() + majorityMs, isOver: false };
    const kept = await countUpTo(
      wanted,
      others.map((node) => this.#isKeptBy(node, hashes, round)),
    );
    round.isOver = true;
    if (kept < wanted) {
      const message = `${kept + 1} of ${others.length + 1} tracking nodes have what was sent, and a majority must; ${name} could not reach more within ${majorityMs} ms. Try again when they can be reached.`;
      throw new HalonError("HAL_UNREACHABLE", message);
    }
    for (const hash of hashes) this.#safe.add(hash);
  }

  async #isKeptBy(
    node: string,
    hashes: readonly string[],
    round: { readonly deadline: number; readonly isOver: boolean },
  ): Promise<boolean> {
    while (!round.isOver && performance.now() < round.deadline) {
      if (await this.#askToKeep(node, hashes, round.deadline)) return true;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    return false;
  }

  async #askToKeep(node: string, hashes: readonly string[], deadline: number): Promise<boolean> {
    const { system, name } = this.#options;
    const timeoutMs = Math.max(1, deadline - performance.now());
    const message: ToBlobs = { type: "keep", hashes, from: name };
    try {
      await system.call({ name: blobsName, node }, message, { timeoutMs });
      return true;
    } catch {
      // Not linked just now, or its disk refuses: asked again until the deadline.
      return false;
    }
  }
}

/** For `find`: says so to people. */
export function tellDamaged(log: Logger): (hash: string) => void {
  const what = "a damaged blob was removed; it is fetched again where another node has it";
  return (blob) => log.error({ blob }, what);
}

/** How many of them came true, as soon as these are `wanted`. */
function countUpTo(wanted: number, all: readonly Promise<boolean>[]): Promise<number> {
  if (wanted === 0) return Promise.resolve(0);
  return new Promise((resolve) => {
    let count = 0;
    const counted = all.map(async (one) => {
      if (await one) count += 1;
      if (count === wanted) resolve(count);
    });
    void Promise.all(counted).then(() => resolve(count));
  });
}
