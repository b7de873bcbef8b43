import type { CommandAction } from "@halon/protocol";
import type { Logger } from "pino";
import type { AllowedPrograms } from "./core/allowed-programs.ts";
import { Hooks } from "./hooks.ts";
import { Programs } from "./programs.ts";
import { Webhooks } from "./webhooks.ts";

export interface EffectsOptions {
  readonly node: string;
  readonly clusterId: string;
  readonly dataDir: string;
  readonly allowed: AllowedPrograms;
  readonly log: Logger;
  emit(type: string, data: unknown): void;
}

/** What a node does in the world outside of the cluster: hooks of the cluster file, programs and webhooks of rules. */
export class Effects {
  readonly #hooks: Hooks;
  readonly #programs: Programs;
  readonly #webhooks: Webhooks;

  constructor(options: EffectsOptions) {
    this.#hooks = new Hooks(options);
    this.#programs = new Programs(options);
    this.#webhooks = new Webhooks(options);
  }

  /** Begins it; false: it is nothing of this kind. Throws the reason why it is not begun. */
  perform(action: CommandAction, command: string): boolean {
    switch (action.type) {
      case "RunHook":
        this.#hooks.perform(action, command);
        return true;
      case "RunProgram":
        this.#programs.perform(action, command);
        return true;
      case "CallWebhook":
        this.#webhooks.perform(action, command);
        return true;
      default:
        return false;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#hooks.close(), this.#programs.close(), this.#webhooks.close()]);
  }
}
