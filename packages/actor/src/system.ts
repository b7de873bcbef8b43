import type { ActorSystem } from "./system-port.ts";

export interface SystemOptions {
  readonly node: string;
  /** Grows with every start of the node. */
  readonly incarnation: number;
}

/** The system of the main thread. */
export declare function createSystem(options: SystemOptions): ActorSystem;
