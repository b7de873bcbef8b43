import {
  type ClusterSpec,
  canonicalJson,
  type DeploymentSpec,
  type Json,
  type JsonObject,
  NodePolicy,
  type Placement,
  type ServiceManifest,
} from "@halon/protocol";
import { hashBytes, mix } from "../prng.ts";
import type { ClusterSettings } from "../scenario.ts";
import type { SimService } from "./scripts.ts";

/** What operators have made of a service so far. */
export interface Wanted {
  readonly codeVersion: number;
  readonly configVersion: number;
  /** It does not start with it. */
  readonly isConfigBad: boolean;
}

const configurationSchema: JsonObject = {
  type: "object",
  properties: { version: { type: "integer" }, bad: { type: "boolean" } },
};

/** 64 hexadecimal digits, equal for equal values: in the place of a SHA-256. */
export function digestOf(value: Json): string {
  const text = canonicalJson(value);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) & 0xff;
  let half = hashBytes(bytes);
  let digest = "";
  for (let i = 0; i < 8; i++) {
    half = mix(half, i + text.length);
    digest += (half >>> 0).toString(16).padStart(8, "0");
  }
  return digest;
}

const schemaHash = digestOf(configurationSchema);

/** The configuration that is wanted of a service. */
export function configValueOf({ configVersion, isConfigBad }: Wanted): JsonObject {
  return { version: configVersion, bad: isConfigBad };
}

/** The type of a service, as a compiled file would say. */
export function manifestOf(service: SimService, { codeVersion }: Wanted): ServiceManifest {
  const { name, kind, restart } = service;
  return {
    name,
    serviceName: service.serviceName ?? name,
    version: `1.${codeVersion}.0`,
    kind,
    blob: digestOf({ name, codeVersion }),
    files: [],
    ...(kind === "process" ? { process: processManifest } : {}),
    thread: "own",
    requires: [],
    configurationSchema,
    schemaHash,
    resources: Object.fromEntries(
      (service.resources ?? []).map((kind) => [kind, { type: "object" }]),
    ),
    restart,
    startTimeoutMs: service.startTimeoutMs,
    stopTimeoutMs: service.stopTimeoutMs,
    checkEveryMs: service.checkEveryMs,
    checkTimeoutMs: 1_000,
    livenessFailures: service.livenessFailures,
    memoryMb: 256,
    watchers: 0,
  };
}

const processManifest: ServiceManifest["process"] = {
  command: ["true"],
  env: {},
  ready: { type: "spawned" },
  check: { type: "alive" },
  liveness: { type: "alive" },
  stopSignal: "SIGTERM",
  outputBytesMax: 4_096,
};

function placementOf({ placement }: SimService): {
  readonly on: Placement;
  readonly replicas?: number;
} {
  switch (placement.type) {
    case "every":
      return { on: "every-node" };
    case "any":
      return { on: "any-node", replicas: placement.replicas };
    case "label":
      return {
        on: { label: placement.label },
        ...(placement.replicas === undefined ? {} : { replicas: placement.replicas }),
      };
    case "node":
      return { on: { node: placement.node } };
  }
}

function deploymentOf(service: SimService, wanted: Wanted): DeploymentSpec {
  const config = configValueOf(wanted);
  const { name, apart, after, prefer, onNodeLoss, exclusive } = service;
  const { on, replicas } = placementOf(service);
  return {
    name,
    type: name,
    on,
    // One that is exclusive has one instance.
    ...(replicas === undefined || exclusive ? {} : { replicas }),
    onNodeLoss,
    ...(exclusive ? { exclusive: "cluster" as const } : {}),
    ...(apart.length === 0 ? {} : { apart: [...apart] }),
    ...(after.length === 0 ? {} : { after: [...after] }),
    ...(prefer.length === 0 ? {} : { prefer: [...prefer] }),
    ...(service.with === undefined ? {} : { with: [...service.with] }),
    ...(service.spread === undefined ? {} : { spread: service.spread }),
    ...(service.fence === undefined ? {} : { fence: service.fence }),
    config,
    configHash: digestOf(config),
  };
}

const hookCommand = { command: ["true", "{target}"] };

/** What `halonctl apply` sends of a cluster file with these services. */
export function specOf(
  settings: ClusterSettings,
  services: readonly (readonly [SimService, Wanted])[],
  prune: boolean,
): ClusterSpec {
  return {
    types: services.map(([service, wanted]) => manifestOf(service, wanted)),
    deployments: services.map(([service, wanted]) => deploymentOf(service, wanted)),
    rules: [],
    nodes: NodePolicy.parse({
      recoverEveryMs: 5_000,
      recoverAttempts: 3,
      breakerNodes: settings.breakerNodes,
      breakerShare: settings.breakerPercent / 100,
      ...(settings.hooks?.recover === undefined ? {} : { recover: hookCommand }),
      ...(settings.hooks?.fence === undefined ? {} : { fence: hookCommand }),
    }),
    prune,
  };
}
