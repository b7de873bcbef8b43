import type { ClusterConfig, ErrorCode, HelloRequest, Peer } from "@halon/protocol";

/** What comes of a hello. */
export type HelloVerdict =
  | { readonly type: "config"; readonly config: ClusterConfig }
  | { readonly type: "refused"; readonly code: ErrorCode; readonly message: string };

/** The master's decision on a hello; `dataDirs` is what each peer said of its own. */
export function takeHello(
  _config: ClusterConfig,
  _dataDirs: ReadonlyMap<string, string>,
  _request: HelloRequest,
): HelloVerdict {
  throw new Error("not written yet");
}

/**
 * What the leader of a complete cluster answers to a hello: a satellite's configuration.
 *
 * `nodes` are those of the graph. The satellite becomes one of them when it attaches.
 */
export function lateHello(
  _config: ClusterConfig,
  _request: HelloRequest,
  _nodes: readonly Pick<Peer, "name" | "address">[] = [],
): HelloVerdict {
  throw new Error("not written yet");
}
