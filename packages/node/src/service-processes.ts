import { type ActorSystem, failure, type Pid } from "@halon/actor";
import { HalonError, InstanceId, JsonValue, toErrorData } from "@halon/protocol";
import type { Runtime, RuntimeEvent } from "@halon/service/host";
import { z } from "zod";

/** What a process of a service answers. */
const ServiceCall = z.strictObject({
  /** This instance and no other; absent: the one that runs. */
  instance: InstanceId.optional(),
  message: z.string().max(128),
  args: z.array(JsonValue).max(32),
  timeoutMs: z.number().int().min(1).max(3_600_000),
});

/** The name under which a service of a node can be called: `system.call({ name, node }, …)` or `whereis(name, node)`. */
export function processNameOf(service: string): string {
  return `service.${service}`;
}

/** A process for every service that runs here, so that others can find and call it, from whatever node. */
export class ServiceProcesses {
  readonly #system: ActorSystem;
  readonly #runtime: Runtime;
  readonly #pids = new Map<string, { readonly instance: string; readonly pid: Pid }>();

  constructor(system: ActorSystem, runtime: Runtime) {
    this.#system = system;
    this.#runtime = runtime;
  }

  /** Takes in what an earlier `halond` left running, after the runtime has adopted it. */
  adopted(): void {
    for (const { service, instance, state } of this.#runtime.inventory()) {
      if (state === "running") this.#open(service, instance);
    }
  }

  /** Follows what the runtime reports. */
  take(event: RuntimeEvent): void {
    if (event.type === "ServiceStarted") this.#open(event.data.service, event.data.instance);
    if (
      event.type === "ServiceFailed" ||
      event.type === "ServiceExited" ||
      event.type === "ServiceStopped"
    ) {
      this.#close(event.data.service, event.data.instance);
    }
  }

  #open(service: string, instance: string): void {
    if (this.#pids.get(service)?.instance === instance) return;
    this.#close(service, this.#pids.get(service)?.instance);
    const behaviour = () => ({ receive: (message: unknown) => this.#answer(instance, message) });
    const pid = this.#system.spawn(behaviour, { name: processNameOf(service), mailboxMax: 1_000 });
    this.#pids.set(service, { instance, pid });
  }

  #close(service: string, instance: string | undefined): void {
    const open = this.#pids.get(service);
    if (open === undefined || open.instance !== instance) return;
    this.#pids.delete(service);
    this.#system.exit(open.pid, "shutdown");
  }

  async #answer(instance: string, message: unknown): Promise<unknown> {
    const call = ServiceCall.safeParse(message);
    if (!call.success) {
      return failure({
        code: "HAL_BAD_REQUEST",
        message: `not a call: ${z.prettifyError(call.error)}`,
      });
    }
    const { message: name, args, timeoutMs, instance: wanted = instance } = call.data;
    if (wanted !== instance) {
      return failure({
        code: "HAL_SERVICE_NOT_RUNNING",
        message: `${wanted} does not run any more; ${instance} does. Look it up again.`,
      });
    }
    try {
      return {
        instance,
        answer: (await this.#runtime.call(instance, name, args, timeoutMs)) ?? null,
      };
    } catch (error) {
      if (error instanceof HalonError) return failure(toErrorData(error));
      // The service's own code threw: that is its answer, not a fault of this node.
      const reason = error instanceof Error ? error.message : String(error);
      return failure({
        code: "HAL_FAILED",
        message: `${instance} answered with an error: ${reason}`,
      });
    }
  }
}
