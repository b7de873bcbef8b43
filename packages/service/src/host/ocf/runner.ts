import { dirname, resolve } from "node:path";
import {
  HalonError,
  type Health,
  type Json,
  type JsonObject,
  type ServiceManifest,
} from "@halon/protocol";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { findAgent } from "./agent.ts";
import { makeScratch, promotionMeta, type Resource } from "./environment.ts";
import { endProcesses, type ResourcePlace } from "./processes.ts";
import { removeRecord, writeRecord } from "./record.ts";
import { answerOf, LiveResource, type Wanted } from "./resource.ts";
import type { Verdict } from "./verdict.ts";

/** Actions that are offered as messages, where an agent has them. */
const messages = ["promote", "demote", "notify"] as const;
const detailCharsMax = 2_000;

/**
 * Starts a service through its OCF resource agent; what the agent starts outlives `halond`.
 *
 * Nothing is reported from within the call. Throws HAL_SERVICE_LOAD when there is no such agent on this node, and
 * HAL_CONFIG_INVALID when a secret cannot be read.
 */
export const startOcf: StartRunner = (spec, listener) => runResource(spec, listener, false);

/** Takes over a resource that an earlier `halond` has started; one that cannot be asked any more is ended. */
export function resumeOcf(spec: RunnerSpec, listener: (event: RunnerEvent) => void): Runner {
  try {
    return runResource(spec, listener, true);
  } catch (error) {
    return endOrphan(spec, listener, error instanceof Error ? error.message : String(error));
  }
}

function runResource(
  spec: RunnerSpec,
  listener: (event: RunnerEvent) => void,
  isAdopted: boolean,
): Runner {
  const resource = resourceOf(spec);
  tryToWrite(spec, resource);
  const live = new LiveResource(spec, resource, listener);
  const first = setImmediate(() => live.begin(isAdopted));
  return {
    get osPid() {
      return live.processes[0]?.pid;
    },
    requestStop: () => live.take({ type: "stop" }),
    kill: () => live.take({ type: "kill" }),
    async check() {
      return healthOf(await live.look());
    },
    /** Most agents look at a number only, which one that was stopped keeps. */
    async alive() {
      const [stopped] = live.stopped();
      return stopped === undefined
        ? { ok: true }
        : { ok: false, detail: `process ${stopped.pid} is stopped` };
    },
    status: async () => statusOf(spec, live),
    reconfigure: (config, timeoutMs) => reload(spec, live, resource, { config, timeoutMs }),
    call: (message, args, timeoutMs) => send(spec, live, resource, { message, args, timeoutMs }),
    silentMs: () => undefined,
    // Its limit is that of a thread; a server under an agent is not ended by it.
    memoryMb: () => undefined,
    release() {
      clearImmediate(first);
      live.release();
      return true;
    },
  };
}

function resourceOf(spec: RunnerSpec): Resource {
  const { ocf } = spec.manifest;
  if (ocf === undefined) {
    const message = `the service type ${spec.manifest.name} names no resource agent; apply it again`;
    throw new HalonError("HAL_SERVICE_LOAD", message);
  }
  const place = placeOf(spec);
  return {
    agent: findAgent(ocf.agent),
    place,
    node: spec.node,
    values: spec.configValues(),
    scratch: makeScratch(place),
  };
}

/** Its agent is gone or a secret of it: what bears its mark is ended, so that the next start finds nothing of it. */
function endOrphan(
  spec: RunnerSpec,
  listener: (event: RunnerEvent) => void,
  reason: string,
): Runner {
  let isReleased = false;
  const exited: RunnerEvent = { type: "exited", exit: { code: null, signal: null }, reason };
  const report = (event: RunnerEvent) => {
    if (!isReleased) listener(event);
  };
  setImmediate(() => report({ type: "problem", code: "HAL_FAILED", reason }));
  void endProcesses(placeOf(spec), true).then(() => {
    if (!isReleased) removeRecord(spec.directory);
    report(exited);
  });
  const notRunning = async () => {
    throw new HalonError("HAL_SERVICE_NOT_RUNNING", reason);
  };
  return {
    osPid: undefined,
    requestStop: () => undefined,
    kill: () => undefined,
    check: async () => ({ health: "fail", detail: reason.slice(0, detailCharsMax) }),
    status: notRunning,
    reconfigure: async () => "restart",
    call: notRunning,
    silentMs: () => undefined,
    memoryMb: () => undefined,
    release() {
      isReleased = true;
      return true;
    },
  };
}

function placeOf({ directory, service }: RunnerSpec): ResourcePlace {
  return { home: dirname(resolve(directory)), service, directory };
}

function tryToWrite(spec: RunnerSpec, { place }: Resource): void {
  try {
    writeRecord(spec, place.home);
  } catch {
    // A full disk must not keep a service from starting: the mark of its processes stands in for the record.
  }
}

function healthOf({ means, text }: Verdict): { health: Health; detail?: string } {
  if (means === "success" || means === "running") return { health: "ok" };
  const detail = text.slice(0, detailCharsMax);
  return { health: means === "degraded" ? "warn" : "fail", detail };
}

function statusOf(spec: RunnerSpec, live: LiveResource): Json {
  const { last } = live;
  return {
    agent: spec.manifest.ocf?.agent ?? "",
    osPids: live.processes.map(({ pid }) => pid),
    monitor: last === undefined ? null : { said: last.verdict.text, ageMs: last.ageMs },
    lastLines: [...live.lastLines()],
  };
}

interface Message {
  readonly message: string;
  readonly args: readonly Json[];
  readonly timeoutMs: number;
}

/** `promote` and `demote` without arguments, and `notify` with its type and operation. */
async function send(
  { manifest, instance }: RunnerSpec,
  live: LiveResource,
  resource: Resource,
  { message, args, timeoutMs }: Message,
): Promise<Json> {
  const actions = manifest.ocf?.actions ?? {};
  const offered = messages.filter((name) => Object.hasOwn(actions, name));
  if (!offered.some((name) => name === message)) {
    const takes = offered.length === 0 ? "no messages" : offered.join(", ");
    throw new HalonError(
      "HAL_NOT_FOUND",
      `${instance} does not know the message ${message}; its agent takes ${takes}`,
    );
  }
  const act = (action: string, notify?: { type: string; operation: string }) => {
    const wanted: Wanted = { action, timeoutMs, meta: promotionMeta(resource, notify) };
    return live.act(wanted);
  };
  if (message === "notify") {
    const verdict = await act("notify", notificationOf(args));
    return answerOf(verdict, live.lastLines());
  }
  const tells = Object.hasOwn(actions, "notify");
  // Agents are told before and after; what they answer does not decide (OCF 1.1, notify).
  if (tells) await act("notify", { type: "pre", operation: message });
  const verdict = await act(message, tells ? { type: "pre", operation: message } : undefined);
  if (tells && verdict.means === "success")
    await act("notify", { type: "post", operation: message });
  return answerOf(verdict, live.lastLines());
}

function notificationOf(args: readonly Json[]): { type: string; operation: string } {
  const [type, operation] = args;
  const isType = type === "pre" || type === "post";
  if (isType && typeof operation === "string" && /^[a-z_-]{1,32}$/.test(operation)) {
    return { type, operation };
  }
  throw new HalonError(
    "HAL_BAD_REQUEST",
    'notify takes "pre" or "post", and an operation such as "promote"',
  );
}

/** Takes a configuration that differs in reloadable parameters only, where the agent has an action for it. */
async function reload(
  spec: RunnerSpec,
  live: LiveResource,
  resource: Resource,
  { config, timeoutMs }: { readonly config: JsonObject; readonly timeoutMs: number },
): Promise<"done" | "restart"> {
  const actions = spec.manifest.ocf?.actions ?? {};
  const action = ["reload-agent", "reload"].find((name) => Object.hasOwn(actions, name));
  const names = new Set([...Object.keys(config), ...Object.keys(live.values)]);
  const changed = [...names].filter(
    (name) => JSON.stringify(config[name]) !== JSON.stringify(live.values[name]),
  );
  const isReloadable = changed.every((name) => reloadable(spec.manifest, name));
  if (action === undefined || !isReloadable) return "restart";
  const verdict = await live.act({ action, timeoutMs, values: config });
  if (verdict.means !== "success") return "restart";
  live.setValues(config);
  tryToWrite({ ...spec, config: { ...spec.config, ...pick(config, changed) } }, resource);
  return "done";
}

/** The schema says so; a parameter that may name a secret never is, so that no value gets into the record. */
function reloadable({ configurationSchema }: ServiceManifest, name: string): boolean {
  const properties = configurationSchema["properties"] as JsonObject | undefined;
  const property = properties?.[name] as JsonObject | undefined;
  return property?.["x-reloadable"] === true;
}

function pick(config: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, config[name] ?? null]));
}
