/**
 * Classes of traffic between two nodes; each has its own connection, so bulk cannot delay control.
 *
 * `raft` and `raft-bulk` carry messages of bytes, between members of the agency.
 */
export type LinkClass = "control" | "bulk" | "raft" | "raft-bulk";

/** First frame in each direction. */
export interface Hello {
  readonly protocol: 1;
  /** Null before the node has joined a cluster; it then fits any. */
  readonly cluster: string | null;
  readonly node: string;
  readonly incarnation: number;
  readonly class: LinkClass;
  /** Where the node listens, such as `10.0.0.1:7411`. */
  readonly address: string;
}

/** A hello that was read, or what is wrong with it. */
export type HelloOutcome =
  | { readonly type: "hello"; readonly hello: Hello }
  | { readonly type: "refused"; readonly why: string };

const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads the first frame of a peer, strictly: no further fields, so that versions differ by number and not by luck. */
export function parseHello(value: unknown): HelloOutcome {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refused("the first frame is not a hello");
  const fields = value as Readonly<Record<string, unknown>>;
  const { protocol, cluster, node, incarnation, class: linkClass, address } = fields;
  if (protocol !== 1) return refused(`protocol ${show(protocol)} where 1 is spoken`);
  if (cluster !== null && !isText(cluster, 128))
    return refused(`cluster ${show(cluster)} is no id`);
  if (typeof node !== "string" || !namePattern.test(node))
    return refused(`node ${show(node)} is no name`);
  if (typeof incarnation !== "number" || !Number.isSafeInteger(incarnation) || incarnation < 0)
    return refused(`incarnation ${show(incarnation)} is no number of starts`);
  if (!isLinkClass(linkClass)) return refused(`class ${show(linkClass)} is not known`);
  if (!isText(address, 256)) return refused(`address ${show(address)} is no address`);
  const extra = Object.keys(fields).find((key) => !known.has(key));
  if (extra !== undefined) return refused(`unknown field ${show(extra)}`);
  return {
    type: "hello",
    hello: { protocol, cluster, node, incarnation, class: linkClass, address },
  };
}

const linkClasses: ReadonlySet<unknown> = new Set<LinkClass>([
  "control",
  "bulk",
  "raft",
  "raft-bulk",
]);

function isLinkClass(value: unknown): value is LinkClass {
  return linkClasses.has(value);
}

const known = new Set(["protocol", "cluster", "node", "incarnation", "class", "address"]);

/** What differs between two hellos so that they cannot be linked; null when they fit. */
export function helloMismatch(own: Omit<Hello, "class">, peer: Hello): string | null {
  if (own.cluster !== null && peer.cluster !== null && own.cluster !== peer.cluster)
    return `cluster "${peer.cluster}" where this node is of "${own.cluster}"`;
  if (own.node === peer.node) return `node "${peer.node}" has the name of this node`;
  return null;
}

function isText(value: unknown, lengthMax: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= lengthMax;
}

function show(value: unknown): string {
  if (typeof value === "string") return `"${value.slice(0, 40)}"`;
  return typeof value === "object" ? "of another type" : String(value);
}

function refused(why: string): HelloOutcome {
  return { type: "refused", why };
}
