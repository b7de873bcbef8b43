import type { AttributesOf, GraphUpdate, JsonObject } from "@halon/protocol";

/** Valid attributes, so that a test names only what it is about. */
export const node: AttributesOf<"Node"> = {
  address: "10.0.0.1:8629",
  role: "satellite",
  state: "up",
  incarnation: 1,
  labels: {},
  version: "0.1.0",
  since: 0,
};

export function slot(service: string, onNode: string): AttributesOf<"ServiceName"> {
  return { service, node: onNode, incarnation: 0, restarts: 0 };
}

export function instance(
  service: string,
  onNode: string,
  incarnation: number,
): AttributesOf<"ServiceInstance"> {
  return {
    service,
    type: service,
    version: "1.0.0",
    node: onNode,
    slot: `${service}@${onNode}`,
    incarnation,
    state: "running",
    health: "ok",
    since: 0,
  };
}

export const service: AttributesOf<"Service"> = {
  serviceName: "web",
  version: "1.0.0",
  kind: "worker",
  blob: "0".repeat(64),
  restart: {
    resetAfterMs: 1,
    backoffMs: 1,
    backoffMaxMs: 1,
    maxFailures: 1,
    windowMs: 1,
    configTries: 1,
  },
  startTimeoutMs: 10,
  stopTimeoutMs: 10,
  checkEveryMs: 50,
  resourceKinds: [],
};

export const tcpPort: { readonly kind: string; readonly schema: JsonObject } = {
  kind: "TcpPort",
  schema: {
    type: "object",
    properties: { port: { type: "integer", minimum: 1, maximum: 65_535 } },
    required: ["port"],
    additionalProperties: false,
  },
};

/** Two instances of `web` on `node-1`, the second failed and without its slot. */
export function putWeb(update: GraphUpdate): void {
  update.put("Node", "node-1", node);
  update.put("ServiceName", "web@node-1", slot("web", "node-1"));
  update.put("ServiceInstance", "web@node-1#1", instance("web", "node-1", 1));
  update.put("ServiceInstance", "web@node-1#2", {
    ...instance("web", "node-1", 2),
    state: "failed",
  });
  update.relate("Node/node-1", "provides", "ServiceName/web@node-1");
  update.relate("Node/node-1", "runs", "ServiceInstance/web@node-1#1");
  update.relate("Node/node-1", "runs", "ServiceInstance/web@node-1#2");
  update.relate("ServiceInstance/web@node-1#1", "holds", "ServiceName/web@node-1");
}
