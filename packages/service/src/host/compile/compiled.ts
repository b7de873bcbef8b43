import type { ClusterSpec, RuleFileManifest, ServiceManifest } from "@halon/protocol";

/** A file named by the SHA-256 of its bytes. */
export interface Blob {
  readonly hash: string;
  readonly bytes: Uint8Array;
}

/** A compiled service file: the first blob is the service itself. */
export interface CompiledService {
  readonly manifest: ServiceManifest;
  readonly blobs: readonly Blob[];
}

/** A compiled rule file. */
export interface CompiledRules {
  readonly manifest: RuleFileManifest;
  readonly blob: Blob;
}

/** A compiled cluster file, each blob once. */
export interface CompiledCluster {
  readonly spec: ClusterSpec;
  readonly blobs: readonly Blob[];
}
