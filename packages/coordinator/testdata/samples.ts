import type { ClusterSpec, ServiceManifest } from "@halon/protocol";

type Deployment = ClusterSpec["deployments"][number];

/** 64 hex digits that are the same for the same text; no hash, but shaped like one. */
export function hashLike(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0").repeat(8);
}

export function manifest(name: string, given: Partial<ServiceManifest> = {}): ServiceManifest {
  const version = given.version ?? "1.0.0";
  return {
    name,
    serviceName: name,
    version,
    kind: "worker",
    blob: hashLike(`${name}-${version}`),
    files: [],
    configurationSchema: { type: "object" },
    schemaHash: hashLike("schema"),
    resources: {},
    restart: {
      resetAfterMs: 10_000,
      backoffMs: 100,
      backoffMaxMs: 30_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    },
    startTimeoutMs: 5_000,
    stopTimeoutMs: 5_000,
    checkEveryMs: 1_000,
    checkTimeoutMs: 500,
    thread: "own",
    requires: [],
    livenessFailures: 3,
    memoryMb: 64,
    ...given,
  };
}

export function deployment(name: string, given: Partial<Deployment> = {}): Deployment {
  const config = given.config ?? {};
  return {
    name,
    type: name,
    on: "any-node",
    onNodeLoss: "move",
    config,
    configHash: hashLike(JSON.stringify(config)),
    ...given,
  };
}

/** A cluster file of these deployments, each of a type of its own unless `types` says otherwise. */
export function clusterSpec(
  deployments: readonly Deployment[],
  given: Partial<ClusterSpec> = {},
): ClusterSpec {
  const names = [...new Set(deployments.map(({ type }) => type))];
  return {
    types: names.map((name) => manifest(name)),
    deployments: [...deployments],
    rules: [],
    prune: true,
    ...given,
  };
}
