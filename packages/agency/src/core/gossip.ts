/** What members tell each other before the pool is complete, and what strangers say later. */
export interface Gossip {
  readonly id: string;
  readonly endpoint: string;
  readonly size: number;
  /** Ids and addresses. */
  readonly pool: Readonly<Record<string, string>>;
  /** Id of the agency once its pool is complete. */
  readonly cluster: string | null;
}

export type GossipAnswer =
  | { readonly type: "gossip"; readonly gossip: Gossip }
  /**
   * This pool is complete and has no place for the sender: 403 with `message`, and with `removed` when the sender
   * was a member once.
   */
  | { readonly type: "refused"; readonly message: string; readonly removed: boolean };

/** What a member knows while it looks for the others. */
export interface Discovery {
  readonly id: string;
  readonly endpoint: string;
  readonly size: number;
  readonly pool: Readonly<Record<string, string>>;
  /** Members that said that they hold this very pool, once it has `size` members; itself not among them. */
  readonly agreed: readonly string[];
}

/** What comes of hearing another member. */
export interface Heard {
  readonly discovery: Discovery;
  /** The pool has grown or changed: keep it, then tell the others. */
  readonly isNews: boolean;
  /** Why the two cannot be of one agency; null when they can. */
  readonly refusal: string | null;
}

/** A member that knows only itself. */
export function beginDiscovery(id: string, endpoint: string, size: number): Discovery {
  return { id, endpoint, size, pool: { [id]: endpoint }, agreed: [] };
}

/** Whether the pool has its size, and all in it were heard to hold the same one. */
export function isComplete({ id, size, pool, agreed }: Discovery): boolean {
  const ids = Object.keys(pool);
  return ids.length === size && ids.every((other) => other === id || agreed.includes(other));
}

/**
 * Takes in what another member said of itself and of its pool.
 *
 * A pool that has its size never changes again, and a member counts as complete only when all in it said that
 * they hold the same one. So of more processes than `size`, no two sets can each hold themselves complete.
 */
export function hear(discovery: Discovery, gossip: Gossip): Heard {
  const refusal = mismatch(discovery, gossip);
  if (refusal !== null) return { discovery, isNews: false, refusal };
  if (gossip.id === discovery.id) return { discovery, isNews: false, refusal: null };
  const { size, pool } = discovery;
  // Each is trusted about its own address, and about others when nothing else is known.
  const merged = { ...gossip.pool, ...pool, [gossip.id]: gossip.endpoint };
  const isFull = Object.keys(pool).length === size;
  const count = Object.keys(merged).length;
  if (count > size) {
    const what = isFull ? "the pool has its size" : "together there are more members than that";
    const why = `the agency is to have ${size} members, and ${what}`;
    return {
      discovery,
      isNews: false,
      refusal: `${why}: ${Object.keys(merged).sort().join(", ")}`,
    };
  }
  const isNews = !samePool(merged, pool);
  const before = isNews ? [] : discovery.agreed;
  const agrees =
    count === size && samePool(merged, { ...gossip.pool, [gossip.id]: gossip.endpoint });
  const agreed = agrees && !before.includes(gossip.id) ? [...before, gossip.id] : before;
  return { discovery: { ...discovery, pool: merged, agreed }, isNews, refusal: null };
}

/** What this member says of itself. */
export function gossipOf(discovery: Discovery, cluster: string | null): Gossip {
  const { id, endpoint, size, pool } = discovery;
  return { id, endpoint, size, pool, cluster };
}

const firstWaitMs = 250;
const longestWaitMs = 2_500;

/** Wait before the next round of gossip, when nothing was news since the last. */
export function gossipWaitMs(round: number): number {
  return Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(round, 8));
}

/** What a complete agency says to a process that it does not know. */
export function strangerRefusal(
  members: Readonly<Record<string, string>>,
  stranger: { readonly id: string; readonly endpoint: string },
): string {
  const old = Object.entries(members).find(([, address]) => address === stranger.endpoint)?.[0];
  const add = `halonctl agency member add ${stranger.endpoint}`;
  if (old === undefined) {
    return `This agency is complete and does not know ${stranger.id}. To let it in: ${add}`;
  }
  const remove = `halonctl agency member remove ${old}`;
  return `${stranger.endpoint} is the address of ${old}, and ${stranger.id} is another member. If it lost its data: ${remove}, then ${add}`;
}

function mismatch(discovery: Discovery, gossip: Gossip): string | null {
  if (gossip.size !== discovery.size) {
    return `${gossip.id} was started for ${gossip.size} members, ${discovery.id} for ${discovery.size}`;
  }
  const same = Object.entries(discovery.pool).find(
    ([id, address]) => address === gossip.endpoint && id !== gossip.id,
  );
  if (same === undefined) return null;
  return `${gossip.id} says that it listens at ${gossip.endpoint}, which is the address of ${same[0]}`;
}

function samePool(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const ids = Object.keys(a);
  return ids.length === Object.keys(b).length && ids.every((id) => a[id] === b[id]);
}
