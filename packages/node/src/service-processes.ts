import { type ActorSystem, failure, type Pid } from "@halon/actor";
import { HalonError, InstanceId, JsonValue, toErrorData } from "@halon/protocol";
import type { Answer, Runtime, RuntimeEvent } from "@halon/service/host";
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

/** The message that asks for the instance's check; its node answers it, whatever messages the type takes. */
export const checkMessage = "$check";

/** The name under which the check of a service can be asked for, while a message keeps the service busy. */
export function checkNameOf(service: string): string {
  return `check.${service}`;
}

/** What was answered to one who asked is as good for others who ask so soon. */
const freshMs = 500;

/** Processes for every service that runs here, so that others can find and call it, from whatever node. */
export class ServiceProcesses {
  readonly #system: ActorSystem;
  readonly #runtime: Runtime;
  readonly #pids = new Map<string, { readonly instance: string; readonly pids: readonly Pid[] }>();

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
    const calls = { name: processNameOf(service), mailboxMax: 1_000 };
    const checks = { name: checkNameOf(service), mailboxMax: 16 };
    const pids = [
      this.#system.spawn(behaviour, calls),
      this.#system.spawn(() => this.#checking(instance), checks),
    ];
    this.#pids.set(service, { instance, pids });
  }

  #close(service: string, instance: string | undefined): void {
    const open = this.#pids.get(service);
    if (open === undefined || open.instance !== instance) return;
    this.#pids.delete(service);
    for (const pid of open.pids) this.#system.exit(pid, "shutdown");
  }

  #answer(instance: string, message: unknown): Promise<unknown> {
    return this.#reply(instance, message, async ({ message: name, args, timeoutMs }) => {
      return (await this.#runtime.call(instance, name, args, timeoutMs)) ?? null;
    });
  }

  /** Answers for its checks, one after the other. */
  #checking(instance: string): { receive(message: unknown): Promise<unknown> } {
    let last: { readonly at: number; readonly answer: Answer } | undefined;
    const check = async (): Promise<Answer> => {
      if (last !== undefined && performance.now() - last.at < freshMs) return last.answer;
      const answer = await this.#runtime.probe(instance);
      last = { at: performance.now(), answer };
      return answer;
    };
    return { receive: (message) => this.#reply(instance, message, check) };
  }

  async #reply(
    instance: string,
    message: unknown,
    ask: (call: z.infer<typeof ServiceCall>) => Promise<unknown>,
  ): Promise<unknown> {
    const call = ServiceCall.safeParse(message);
    if (!call.success) {
      return failure({
        code: "HAL_BAD_REQUEST",
        message: `not a call: ${z.prettifyError(call.error)}`,
      });
    }
    const { instance: wanted = instance } = call.data;
    if (wanted !== instance) {
      return failure({
        code: "HAL_SERVICE_NOT_RUNNING",
        message: `${wanted} does not run any more; ${instance} does. Look it up again.`,
      });
    }
    try {
      return { instance, answer: await ask(call.data) };
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
