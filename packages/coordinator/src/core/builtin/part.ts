import type { ClusterSpec } from "@halon/protocol";

/** Names that begin so are those of Halon's own parts and hooks. */
const prefix = "halon-";

/** Whether a service, type or slot of that name is a part of Halon itself: it is not placed, started or stopped. */
export function isPart(service: string): boolean {
  return service.startsWith(prefix);
}

/** Why a request about the part is not carried out. */
export function partRefusal(service: string): string {
  return `${service} is a part of Halon: it runs as long as its node does; it can be checked and asked for its status only`;
}

/** Tells of a deployment or type that has the name of a part. */
export function partConflict(spec: ClusterSpec): string | undefined {
  const deployment = spec.deployments.find(({ name }) => isPart(name));
  if (deployment !== undefined) return complaint("deployment", deployment.name);
  const type = spec.types.find(({ name, serviceName }) => isPart(name) || isPart(serviceName));
  if (type === undefined) return undefined;
  return complaint("type", isPart(type.name) ? type.name : type.serviceName);
}

function complaint(what: string, name: string): string {
  return `${what} ${name} has a name that begins with ${prefix}, which is kept for parts of Halon; give it another name`;
}
