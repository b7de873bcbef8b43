import { parentPort } from "node:worker_threads";
import { nodeEndpoint } from "@halon/actor/thread";
import * as Comlink from "comlink";
import { halonError } from "../../config-error.ts";
import type { ServiceContext, ServiceDefinition, ServiceHandlers } from "../../definition.ts";
import { limits } from "../limits.ts";
import { createAllowance } from "./allowance.ts";
import { beatIndex, memoryIndex, type ThreadCalls, type ThreadData } from "./shared.ts";

// The entry of a service's thread. It is started before it is needed, and waits to be told which service it runs.

const stopping = new AbortController();
// Every service file imports it, and it takes longer to load than all the rest.
void import("../../index.ts");
const data = await new Promise<ThreadData>((resolve) => {
  // A message to stop is heard even while the service loads or starts.
  parentPort?.on("message", (message: ThreadData | "stop") => {
    if (message === "stop") stopping.abort();
    else resolve(message);
  });
});
const words = new Int32Array(data.shared);

setInterval(beat, data.beatEveryMs);
beat();
await run();

function beat(): void {
  const { heapUsed, external } = process.memoryUsage();
  Atomics.store(words, memoryIndex, Math.ceil((heapUsed + external) / 1_024));
  Atomics.add(words, beatIndex, 1);
}

function tell(event: object): void {
  parentPort?.postMessage(event);
}

async function run(): Promise<void> {
  const definition = await load();
  if (definition === null) return;
  tell({ type: "loaded" });
  const context = createContext(definition);
  let handlers: ServiceHandlers;
  try {
    context.config = definition.config.parse(data.config) as ServiceContext["config"];
    const started = await definition.start?.(context as ServiceContext<never>);
    handlers = (started ?? {}) as ServiceHandlers;
  } catch (error) {
    end("HAL_SERVICE_START", error);
    return;
  }
  Comlink.expose(callsOf(definition, handlers, context), nodeEndpoint(data.calls));
  onStop(handlers);
  tell({ type: "ready" });
}

async function load(): Promise<ServiceDefinition | null> {
  try {
    const module = (await import(data.blobUrl)) as { default?: ServiceDefinition };
    if (module.default?.kind !== "halon.service") {
      throw new Error("the service file does not export defineService(…) by default");
    }
    return module.default;
  } catch (error) {
    end("HAL_SERVICE_LOAD", error);
    return null;
  }
}

type MutableContext = { -readonly [K in keyof ServiceContext]: ServiceContext[K] };

function createContext(definition: ServiceDefinition): MutableContext {
  const refuse = (kind: string) => {
    if (data.resourceKinds.includes(kind)) return;
    throw halonError(
      "HAL_RESOURCE_REFUSED",
      `Type "${definition.name}" does not declare the resource kind "${kind}"; add it to resources in defineService.`,
    );
  };
  const changes = { atOnce: limits.changesAtOnceMax, perSecond: limits.changesPerSecondMax };
  const allow = createAllowance(changes, () => performance.now());
  // Refused here: what is posted is in the memory of the whole node until the main thread takes it.
  const tellChange = (event: object) => {
    if (allow()) return tell(event);
    throw halonError(
      "HAL_TOO_MANY",
      `${data.instance} tells of more than ${changes.atOnce} changes at once, or ${changes.perSecond} a second; tell of fewer, or of the last one only.`,
    );
  };
  const held = new Set<string>();
  let hasFailed = false;
  return {
    config: data.config,
    service: data.service,
    instance: data.instance,
    node: data.node,
    signal: stopping.signal,
    log: (text) => process.stdout.write(`${text}\n`),
    acquire(kind, id, attributes = {}) {
      refuse(kind);
      refuseTooLarge(kind, id, attributes);
      const key = `${kind}/${id}`;
      if (!held.has(key) && held.size >= limits.resourcesMax) {
        throw halonError(
          "HAL_TOO_MANY",
          `${data.instance} holds ${held.size} resources, which is the most; release one before it acquires ${key.slice(0, 100)}.`,
        );
      }
      tellChange({ type: "acquired", kind, id, attributes });
      held.add(key);
    },
    release(kind, id) {
      refuse(kind);
      tellChange({ type: "released", kind, id });
      held.delete(`${kind}/${id}`);
    },
    configChanged: (config) => tellChange({ type: "reconfigured", config }),
    exit: (reason) => tell({ type: "exiting", reason: textOf(reason) }),
    trouble: () => Promise.reject(halonError("HAL_NOT_BUILT", "trouble is not built yet")),
    lookup: () => Promise.reject(halonError("HAL_NOT_BUILT", "lookup is not built yet")),
    call: () => Promise.reject(halonError("HAL_NOT_BUILT", "call is not built yet")),
    fail(reason) {
      // Once is enough, and a loop must not fill the memory of the node.
      if (!hasFailed) tell({ type: "problem", code: "HAL_FAILED", reason: textOf(reason) });
      hasFailed = true;
    },
  };
}

function refuseTooLarge(kind: string, id: string, attributes: object): void {
  const bytes = Buffer.byteLength(JSON.stringify(attributes));
  if (bytes <= limits.attributesBytesMax) return;
  throw halonError(
    "HAL_TOO_LARGE",
    `The attributes of ${kind} ${id.slice(0, 100)} have ${bytes} bytes as JSON, at most ${limits.attributesBytesMax} are allowed.`,
  );
}

function callsOf(
  definition: ServiceDefinition,
  handlers: ServiceHandlers,
  context: MutableContext,
): ThreadCalls {
  return {
    async check() {
      const result = (await handlers.check?.()) ?? { health: "ok" };
      return result.detail === undefined
        ? { health: result.health }
        : { health: result.health, detail: result.detail };
    },
    status: async () => (await handlers.status?.()) ?? null,
    async reconfigure(config) {
      if (handlers.reconfigure === undefined) return "restart";
      const parsed = definition.config.parse(config);
      await handlers.reconfigure(parsed as ServiceContext["config"]);
      context.config = parsed as ServiceContext["config"];
      return "done";
    },
    async call(message, args) {
      const { messages } = handlers;
      const handler =
        messages !== undefined && Object.hasOwn(messages, message) ? messages[message] : undefined;
      if (handler === undefined) throw new Error(`no message "${message}"`);
      const answer = await handler(...(args as never[]));
      return (answer ?? null) as Awaited<ReturnType<ThreadCalls["call"]>>;
    },
  };
}

function onStop(handlers: ServiceHandlers): void {
  const stop = async () => {
    try {
      await handlers.stop?.();
    } catch (error) {
      process.stderr.write(`stop failed: ${textOf(error)}\n`);
    }
    leave(0);
  };
  if (stopping.signal.aborted) void stop();
  else stopping.signal.addEventListener("abort", () => void stop(), { once: true });
}

function end(code: "HAL_SERVICE_LOAD" | "HAL_SERVICE_START", error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error) : textOf(error)}\n`);
  tell({ type: "problem", code, reason: textOf(error) });
  leave(1);
}

/** Output and messages of this turn go out before the thread ends. */
function leave(code: number): void {
  setImmediate(() => process.exit(code));
}

function textOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`.slice(0, 2_000);
  try {
    return String(error).slice(0, 2_000);
  } catch {
    return "a value that cannot be printed was thrown";
  }
}
