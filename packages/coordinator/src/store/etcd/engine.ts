import { HalonError } from "@halon/protocol";
import type { Engine } from "../engine.ts";

export interface EtcdOptions {
  /** `etcd://host:port[,host:port…][/prefix]`; the prefix is `halon` when none is given. */
  readonly url: string;
  /** Whose log it is: a prefix belongs to one cluster for good. */
  readonly clusterId: string;
  /** This node as others reach it, `host:port`. */
  readonly address: string;
}

/**
 * Opens the log of a cluster in etcd.
 *
 * Errors: HAL_CONFIG_INVALID for the URL, HAL_CONFLICT when the prefix belongs to another cluster, HAL_STORE_FAILED
 * when no endpoint answers.
 */
export async function openEtcdEngine(options: EtcdOptions): Promise<Engine> {
  throw new HalonError("HAL_NOT_BUILT", `the etcd engine for ${options.url} is not built yet`);
}
