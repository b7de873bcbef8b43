import { pathToFileURL } from "node:url";
import type { RunnerSpec } from "../runner.ts";
import type { ServiceData } from "./serve.ts";

/** What a service side is told of the instance. */
export function serviceDataOf(spec: RunnerSpec): ServiceData {
  const { node, service, instance, manifest, lease } = spec;
  return {
    blobUrl: pathToFileURL(spec.blobPath(manifest.blob)).href,
    node,
    service,
    instance,
    config: spec.configValues(),
    resourceKinds: Object.keys(manifest.resources),
    ...(lease === undefined ? {} : { fencingToken: lease.token }),
  };
}
