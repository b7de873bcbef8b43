import type { Json, JsonObject } from "@halon/protocol";
import { halonError } from "../../config-error.ts";
import type { InstancePlace, ServiceContext, TroubleAnswer } from "../../definition.ts";
import { limits } from "../limits.ts";
import { createAllowance } from "./allowance.ts";
import type { Reply, ServeOptions, ServiceCalls } from "./serve.ts";
import type { Question, ServiceEvent } from "./wire.ts";

type MutableContext = { -readonly [K in keyof ServiceContext]: ServiceContext[K] };
type Tell = (event: ServiceEvent) => void;

/** What a service is given, and the calls that bring answers back to it. */
export interface ContextParts {
  /** Its `config` follows each reconfiguration. */
  readonly context: MutableContext;
  readonly answers: Pick<ServiceCalls, "answerTrouble" | "reply">;
}

/** The context of one service. What it tells is bounded here, before it is in the memory of the whole node. */
export function createContext(
  { data, write }: ServeOptions,
  signal: AbortSignal,
  tell: Tell,
): ContextParts {
  const troubles = createTroubles(data.instance, tell);
  const questions = createQuestions(data.instance, tell);
  // Once is enough of each, and a loop must not fill the memory of the node.
  const failOnce = once(tell);
  const exitOnce = once(tell);
  const context: MutableContext = {
    config: data.config,
    service: data.service,
    instance: data.instance,
    node: data.node,
    ...(data.fencingToken === undefined ? {} : { fencingToken: data.fencingToken }),
    signal,
    log: (text) => write(`${text}\n`),
    ...createResources(data, tell),
    exit: (reason) => exitOnce({ type: "exiting", reason: textOf(reason) }),
    fail(reason, code) {
      const failureCode = code === undefined ? {} : { failureCode: String(code).slice(0, 128) };
      const said = { reason: textOf(reason), cause: "announced" as const, ...failureCode };
      failOnce({ type: "problem", code: "HAL_FAILED", ...said });
    },
    trouble: troubles.tell,
    lookup: (service) =>
      questions.ask({ type: "lookup", service }) as Promise<unknown> as Promise<
        readonly InstancePlace[]
      >,
    call: (instance, message, args = []) =>
      questions.ask({ type: "call", instance, message, args: [...args] }),
    publish: async (event, data) => {
      await questions.ask({ type: "publish", event, data });
    },
  };
  return {
    context,
    answers: { answerTrouble: troubles.answer, reply: questions.reply },
  };
}

function once(tell: Tell): Tell {
  let isTold = false;
  return (event) => {
    if (!isTold) tell(event);
    isTold = true;
  };
}

function createResources(
  data: ServeOptions["data"],
  tell: Tell,
): Pick<ServiceContext, "acquire" | "release" | "configChanged"> {
  const changes = { atOnce: limits.changesAtOnceMax, perSecond: limits.changesPerSecondMax };
  const allow = createAllowance(changes, () => performance.now());
  const tellChange = (event: ServiceEvent) => {
    if (allow()) return tell(event);
    throw tooMany(
      `${data.instance} tells of more than ${changes.atOnce} changes at once, or ${changes.perSecond} a second; tell of fewer, or of the last one only.`,
    );
  };
  const refuse = (kind: string) => {
    if (data.resourceKinds.includes(kind)) return;
    throw halonError(
      "HAL_RESOURCE_REFUSED",
      `The type of ${data.instance} does not declare the resource kind "${kind}"; add it to resources in defineService.`,
    );
  };
  const held = new Set<string>();
  return {
    acquire(kind, id, attributes = {}) {
      refuse(kind);
      refuseTooLarge(kind, id, attributes);
      const key = `${kind}/${id}`;
      if (!held.has(key) && held.size >= limits.resourcesMax) {
        throw tooMany(
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
    configChanged: (config: JsonObject) => tellChange({ type: "reconfigured", config }),
  };
}

function createTroubles(instance: string, tell: Tell) {
  const waiting = new Map<string, (answer: TroubleAnswer) => void>();
  let count = 0;
  return {
    tell(code: string, reason: string, data?: Json): Promise<TroubleAnswer> {
      if (waiting.size >= limits.troublesMax) {
        const text = `${instance} has ${waiting.size} troubles without an answer; wait for one of them.`;
        return Promise.reject(tooMany(text));
      }
      count += 1;
      const ref = String(count);
      const more = data === undefined ? {} : { data };
      return new Promise((resolve) => {
        waiting.set(ref, resolve);
        const said = { code: String(code).slice(0, 128), reason: textOf(reason), ...more };
        tell({ type: "trouble", ref, ...said });
      });
    },
    answer(ref: string, answer: TroubleAnswer): void {
      waiting.get(ref)?.(answer);
      waiting.delete(ref);
    },
  };
}

function createQuestions(instance: string, tell: Tell) {
  const waiting = new Map<number, (reply: Reply) => void>();
  let count = 0;
  return {
    ask(question: Question): Promise<Json> {
      if (waiting.size >= limits.questionsMax) {
        const text = `${instance} waits for ${waiting.size} answers of other services; wait for one of them.`;
        return Promise.reject(tooMany(text));
      }
      count += 1;
      const ref = count;
      return new Promise((resolve, reject) => {
        waiting.set(ref, (reply) => {
          if (reply.type === "value") resolve(reply.value);
          else reject(halonError(reply.code as "HAL_FAILED", reply.message));
        });
        tell({ type: "asked", ref, question });
      });
    },
    reply(ref: number, reply: Reply): void {
      waiting.get(ref)?.(reply);
      waiting.delete(ref);
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

function tooMany(message: string): Error {
  return halonError("HAL_TOO_MANY", message);
}

/** What was thrown, in one line that fits into an event. */
export function textOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`.slice(0, 2_000);
  try {
    return String(error).slice(0, 2_000);
  } catch {
    return "a value that cannot be printed was thrown";
  }
}
