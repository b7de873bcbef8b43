// First, and by itself: `require` below needs what all service files import to be loaded, and not just being loaded.
import "../../index.ts";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Health, Json, JsonObject } from "@halon/protocol";
import * as Comlink from "comlink";
import type {
  ServiceContext,
  ServiceDefinition,
  ServiceHandlers,
  TroubleAnswer,
} from "../../definition.ts";
import { endpointOf, type ServicePort } from "./port.ts";
import { createContext, textOf } from "./service-context.ts";
import type { ServiceEvent } from "./wire.ts";

/** The service that a service side runs. Plain data: it crosses threads and processes. */
export interface ServiceData {
  /** URL of the compiled service file. */
  readonly blobUrl: string;
  readonly node: string;
  readonly service: string;
  readonly instance: string;
  /** With the values of secrets. */
  readonly config: JsonObject;
  readonly resourceKinds: readonly string[];
  readonly fencingToken?: number;
}

/** What became of a call, or of a question of the service. */
export type Reply =
  | { readonly type: "value"; readonly value: Json }
  | { readonly type: "error"; readonly code: string; readonly message: string };

/** Calls that the host makes on the service side, through comlink. */
export interface ServiceCalls {
  /** Aborts the signal of the context; heard while the service loads and starts, too. */
  stop(): void;
  check(): Promise<{ health: Health; detail?: string }>;
  /** Liveness; true where the type has no `alive`. */
  alive(): Promise<boolean>;
  status(): Promise<Json>;
  reconfigure(config: JsonObject): Promise<"done" | "restart">;
  call(message: string, args: readonly Json[]): Promise<Reply>;
  answerTrouble(ref: string, answer: TroubleAnswer): void;
  /** Answers the `asked` event with that number. */
  reply(ref: number, reply: Reply): void;
}

/** What the service side needs of the thread or process that it is in. */
export interface ServeOptions {
  readonly data: ServiceData;
  /** Calls come in and events go out here, as `{ event }`; see `wire.ts` for the events. */
  readonly port: ServicePort;
  /** Takes what the service logs; a line with its end. */
  write(text: string): void;
  /** Called once, when the service has ended: its thread or process ends next, or lets it go. */
  ended(code: number): void;
}

/** A service that runs or ends. */
export interface Served {
  /** Ends the service for an exception that nobody caught. */
  crash(error: unknown): void;
  /** Ends the service because its code asked for the exit of its process. */
  exit(code: number): void;
}

/** What changes of a service. */
interface Life {
  readonly options: ServeOptions;
  readonly stopping: AbortController;
  definition: ServiceDefinition | undefined;
  handlers: ServiceHandlers;
  isReady: boolean;
  hasEnded: boolean;
}

/** Loads the service file, starts the service, and answers for it until it has ended. Never throws. */
export function serve(options: ServeOptions): Served {
  const life: Life = {
    options,
    stopping: new AbortController(),
    definition: undefined,
    handlers: {},
    isReady: false,
    hasEnded: false,
  };
  const tell = (event: ServiceEvent) => {
    if (!life.hasEnded) options.port.postMessage({ event });
  };
  const { context, answers } = createContext(options, life.stopping.signal, tell);
  const end = (code: number) => {
    if (life.hasEnded) return;
    life.hasEnded = true;
    options.ended(code);
  };
  const fail = (problem: Omit<Extract<ServiceEvent, { type: "problem" }>, "type">) => {
    tell({ type: "problem", ...problem });
    end(1);
  };
  // From the beginning, as a stop is heard even while the service loads or starts.
  const calls: ServiceCalls = { ...callsOf(life, context), ...answers };
  Comlink.expose(calls, endpointOf(options.port));
  void run(life, context, { tell, end, fail });
  const codeNow = () => (life.isReady ? "HAL_FAILED" : "HAL_SERVICE_START");
  return {
    crash(error) {
      if (life.hasEnded) return;
      const reason = `uncaught ${textOf(error)}`;
      // First: the host can decide on its replacement meanwhile.
      tell({ type: "problem", code: codeNow(), reason, cause: "exception" });
      options.write(`${stackOf(error)}\n`);
      end(1);
    },
    exit(code) {
      const reason = `its code called process.exit(${code})`;
      tell({ type: "problem", code: codeNow(), reason, cause: "exit" });
      end(code);
    },
  };
}

interface Ends {
  tell(event: ServiceEvent): void;
  end(code: number): void;
  fail(problem: { code: "HAL_SERVICE_LOAD" | "HAL_SERVICE_START"; reason: string }): void;
}

type MutableContext = { -readonly [K in keyof ServiceContext]: ServiceContext[K] };

async function run(life: Life, context: MutableContext, ends: Ends): Promise<void> {
  const { data, write } = life.options;
  let code: "HAL_SERVICE_LOAD" | "HAL_SERVICE_START" = "HAL_SERVICE_LOAD";
  try {
    const definition = await load(data.blobUrl);
    life.definition = definition;
    ends.tell({ type: "loaded" });
    code = "HAL_SERVICE_START";
    context.config = definition.config.parse(data.config) as ServiceContext["config"];
    const started = await definition.start?.(context as ServiceContext<never>);
    life.handlers = (started ?? {}) as ServiceHandlers;
  } catch (error) {
    write(`${stackOf(error)}\n`);
    ends.fail({ code, reason: textOf(error) });
    return;
  }
  life.isReady = true;
  onStop(life, ends.end);
  ends.tell({ type: "ready", hasAlive: life.handlers.alive !== undefined });
}

async function load(url: string): Promise<ServiceDefinition> {
  const module = (requireNow(url) ?? (await import(url))) as { default?: ServiceDefinition };
  if (module.default?.kind === "halon.service") return module.default;
  throw new Error("the service file does not export defineService(…) by default");
}

const require = createRequire(import.meta.url);

/**
 * The module, loaded within this turn; undefined where only `import` can, as for one that awaits at its top.
 *
 * `import` asks the thread pool for each step of reading a file, and each answer waits for a processor.
 */
function requireNow(url: string): unknown {
  // A query is unknown to it: the module without would be taken.
  if (url.includes("?")) return undefined;
  try {
    return require(fileURLToPath(url));
  } catch (error) {
    // Then nothing of the module has run, or `import` throws the same again.
    const code = (error as { readonly code?: unknown } | null)?.code;
    if (typeof code === "string" && code.startsWith("ERR_REQUIRE_")) return undefined;
    throw error;
  }
}

function onStop({ stopping, handlers, options }: Life, end: (code: number) => void): void {
  const stop = async () => {
    try {
      await handlers.stop?.();
    } catch (error) {
      options.write(`stop failed: ${textOf(error)}\n`);
    }
    end(0);
  };
  if (stopping.signal.aborted) void stop();
  else stopping.signal.addEventListener("abort", () => void stop(), { once: true });
}

function callsOf(
  life: Life,
  context: MutableContext,
): Omit<ServiceCalls, "answerTrouble" | "reply"> {
  return {
    stop: () => life.stopping.abort(),
    async check() {
      const result = (await life.handlers.check?.()) ?? { health: "ok" };
      return result.detail === undefined
        ? { health: result.health }
        : { health: result.health, detail: result.detail };
    },
    alive: async () => (await life.handlers.alive?.()) ?? true,
    status: async () => (await life.handlers.status?.()) ?? null,
    async reconfigure(config) {
      const { handlers, definition } = life;
      if (handlers.reconfigure === undefined || definition === undefined) return "restart";
      const parsed = definition.config.parse(config) as ServiceContext["config"];
      await handlers.reconfigure(parsed);
      context.config = parsed;
      return "done";
    },
    async call(message, args) {
      const { messages } = life.handlers;
      const handler =
        messages !== undefined && Object.hasOwn(messages, message) ? messages[message] : undefined;
      if (handler === undefined) {
        const known = Object.keys(messages ?? {}).join(", ") || "none";
        const text = `${life.options.data.service} takes no message "${message}"; it takes ${known}.`;
        return { type: "error", code: "HAL_NOT_FOUND", message: text.slice(0, 2_000) };
      }
      try {
        return { type: "value", value: ((await handler(...(args as never[]))) ?? null) as Json };
      } catch (error) {
        return { type: "error", code: "HAL_FAILED", message: textOf(error) };
      }
    },
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? textOf(error)) : textOf(error);
}
