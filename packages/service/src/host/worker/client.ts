import { type ErrorCode, HalonError, Health, type Json, JsonValue } from "@halon/protocol";
import * as Comlink from "comlink";
import { z } from "zod";
import type { Runner, RunnerEvent, ServiceDirectory } from "../runner.ts";
import { createGuard } from "./guard.ts";
import { endpointOf, type ServicePort } from "./port.ts";
import type { Reply, ServiceCalls } from "./serve.ts";
import { type Question, ServiceEvent } from "./wire.ts";

const CheckAnswer = z.object({ health: Health, detail: z.string().optional() });
const CallAnswer = z.discriminatedUnion("type", [
  z.object({ type: z.literal("value"), value: JsonValue }),
  z.object({ type: z.literal("error"), code: z.string(), message: z.string() }),
]);

/** The host's side of one service, whatever it runs in. */
export interface ServiceClient
  extends Required<
    Pick<
      Runner,
      "requestStop" | "check" | "alive" | "status" | "reconfigure" | "call" | "answerTrouble"
    >
  > {
  /** Rejects all calls that are pending or come later. */
  close(reason: string): void;
}

/** What the host makes of what a service tells; `event` never has `exited`, which only its thread or process can say. */
export interface ServiceListener {
  event(event: RunnerEvent): void;
  /** What `lookup` and `call` of the service ask. */
  readonly peers?: ServiceDirectory | undefined;
  output?(text: string): void;
  beat?(memoryKib: number): void;
  ended?(code: number): void;
}

/** Talks to the `serve` at the other end of the port; all that it tells is parsed before the listener has it. */
export function connectService(port: ServicePort, listener: ServiceListener): ServiceClient {
  const remote = Comlink.wrap<ServiceCalls>(endpointOf(port));
  const guard = createGuard();
  let hasAlive = false;
  port.on("message", (message) => {
    if (typeof message !== "object" || message === null || !("event" in message)) return;
    const parsed = ServiceEvent.safeParse(message.event);
    if (!parsed.success) return;
    if (parsed.data.type === "ready") hasAlive = parsed.data.hasAlive;
    hear(parsed.data, listener, remote);
  });
  return {
    // What is gone needs no call, and its end is reported by itself.
    requestStop: () => void remote.stop().catch(() => undefined),
    answerTrouble: (ref, answer) => void remote.answerTrouble(ref, answer).catch(() => undefined),
    async check(timeoutMs) {
      const answer = CheckAnswer.parse(await guard.run("check", () => remote.check(), timeoutMs));
      const { health, detail } = answer;
      return detail === undefined ? { health } : { health, detail: detail.slice(0, 2_000) };
    },
    async alive(timeoutMs) {
      if (!hasAlive) return { ok: true };
      try {
        const answer = await guard.run("alive", () => remote.alive(), timeoutMs);
        return answer === true ? { ok: true } : { ok: false, detail: "alive answered false" };
      } catch (error) {
        return { ok: false, detail: String((error as Error).message).slice(0, 2_000) };
      }
    },
    status: (timeoutMs) => guard.run("status", () => remote.status() as Promise<Json>, timeoutMs),
    reconfigure: (config, timeoutMs) =>
      guard.run("reconfigure", () => remote.reconfigure(config), timeoutMs),
    async call(message, args, timeoutMs) {
      const name = `message ${message}`;
      const answer = CallAnswer.parse(
        await guard.run(name, () => remote.call(message, args) as Promise<Reply>, timeoutMs),
      );
      if (answer.type === "value") return answer.value as Json;
      throw new HalonError(answer.code as ErrorCode, answer.message);
    },
    close: (reason) => guard.close(reason),
  };
}

function hear(
  event: ServiceEvent,
  listener: ServiceListener,
  remote: Comlink.Remote<ServiceCalls>,
): void {
  switch (event.type) {
    case "output":
      listener.output?.(event.text);
      return;
    case "beat":
      listener.beat?.(event.memoryKib);
      return;
    case "ended":
      listener.ended?.(event.code);
      return;
    case "asked":
      void answer(event.question, listener.peers).then((reply) =>
        // A service that is gone needs no reply.
        remote.reply(event.ref, reply).catch(() => undefined),
      );
      return;
    case "ready":
      listener.event({ type: "ready" });
      return;
    default:
      listener.event(event as RunnerEvent);
  }
}

async function answer(question: Question, peers: ServiceDirectory | undefined): Promise<Reply> {
  if (peers === undefined) {
    return { type: "error", code: "HAL_NOT_FOUND", message: "There are no other services here." };
  }
  try {
    return { type: "value", value: (await ask(question, peers)) as Json };
  } catch (error) {
    const code = error instanceof HalonError ? error.code : "HAL_FAILED";
    return { type: "error", code, message: (error as Error).message.slice(0, 2_000) };
  }
}

async function ask(question: Question, peers: ServiceDirectory): Promise<unknown> {
  switch (question.type) {
    case "lookup":
      return await peers.lookup(question.service);
    case "call":
      return await peers.call(question.instance, question.message, question.args as Json[]);
    case "publish":
      await peers.publish(question.event, question.data as Json);
      return null;
  }
}
