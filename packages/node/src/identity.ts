import { hostname } from "node:os";
import type { JsonObject } from "@halon/protocol";
import { addressOf, type CompleteSetup } from "./core/bootstrap-setup.ts";
import type { OwnHello } from "./links.ts";
import type { NodeOptions } from "./options.ts";
import { version } from "./version.ts";

/** Who this node is in its complete cluster; nothing in it changes while the node runs. */
export class Identity {
  readonly setup: CompleteSetup;
  readonly #labels: NodeOptions["labels"];

  constructor(setup: CompleteSetup, labels: NodeOptions["labels"]) {
    this.setup = setup;
    this.#labels = labels;
  }

  get id(): string {
    return this.setup.id;
  }

  get name(): string {
    return this.setup.name;
  }

  get role(): "tracking" | "satellite" {
    return this.setup.role;
  }

  get incarnation(): number {
    return this.setup.incarnation;
  }

  get clusterId(): string {
    return this.setup.clusterId;
  }

  /** `host:port` at which others reach this node. */
  get endpoint(): string {
    return addressOf(this.setup);
  }

  /** `host:port` of the tracking nodes, this one's own left out. */
  get trackingNodes(): readonly string[] {
    return this.setup.peers
      .filter(({ id, role }) => role === "tracking" && id !== this.id)
      .map(({ address }) => address);
  }

  hello(): OwnHello {
    const { clusterId, name, incarnation } = this.setup;
    return { protocol: 1, cluster: clusterId, node: name, incarnation, address: this.endpoint };
  }

  /** Data of NodeJoined. */
  describe(): JsonObject {
    return {
      node: this.name,
      address: this.endpoint,
      hostname: hostname(),
      role: this.role,
      incarnation: this.incarnation,
      labels: this.#labels,
      version,
    };
  }
}
