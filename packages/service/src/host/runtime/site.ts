import type { Instance, InstanceHost } from "./instance.ts";
import type { Leases } from "./leases.ts";
import type { ActionOf, RuntimeOptions } from "./runtime.ts";
import type { Watch } from "./watch.ts";

/** A start that waits for the exit of an older incarnation. */
export interface WaitingStart {
  readonly action: ActionOf<"StartService">;
  readonly commands: ReadonlySet<string>;
  readonly timer: NodeJS.Timeout;
}

/** What one runtime knows: its instances, and who holds or waits for each service name. */
export interface Site {
  readonly options: RuntimeOptions;
  /** Those whose end was not told. */
  readonly instances: Map<string, Instance>;
  /** By service name; a name is free only after its holder's exit. */
  readonly holders: Map<string, Instance>;
  readonly waiting: Map<string, WaitingStart>;
  /** Directories that were made already. */
  readonly directories: Set<string>;
  /** The supervisor's; each of its starts makes a new one. */
  watch: Watch;
  readonly host: InstanceHost;
  readonly leases: Leases;
  closing: boolean;
  /** Called when the last instance has ended. */
  drained(): void;
}
