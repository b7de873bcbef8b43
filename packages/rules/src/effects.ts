import {
  type Asked,
  CallHeaders,
  CallUrl,
  type CommandAction,
  compareText,
  events,
  type GraphView,
  instanceId,
  type Json,
  ProgramArguments,
  ProgramName,
  shownUrl,
  slotId,
} from "@halon/protocol";
import { z } from "zod";
import { plain } from "./plain.ts";
import type { CallOptions, RunOptions } from "./rule.ts";

/** Beyond the deadline of an effect: the way to the node and back. */
const answerMs = 10_000;
const deadlineMaxMs = 86_400_000;
const attemptsDefault = 5;
const attemptsMax = 100;
const refCharsMax = 256;
/** Characters of JSON: a call is in the log, and in the outbox until it is answered. */
const bodyCharsMax = 262_144;

/** What an effect that a node carries out needs of a firing. */
interface EffectFiring {
  readonly view: GraphView;
  readonly asked: Asked;
  nextCommandId(): string;
  send(command: {
    readonly id: string;
    readonly node: string;
    readonly action: CommandAction;
    readonly deadlineMs: number;
  }): void;
  publish(event: typeof events.RunEnded | typeof events.CallEnded, data: unknown): void;
  why(text: string): void;
}

/** Sends RunProgram; when that makes no sense, the run has ended as refused. Gives its ref. */
export function runProgram(firing: EffectFiring, name: string, options: RunOptions): string {
  const program = checked(ProgramName, name, "the name of the program");
  const args = checked(ProgramArguments, options.args ?? [], "args");
  const timeoutMs = deadlineOf(options.deadlineMs);
  const { on } = options;
  const id = firing.nextCommandId();
  const ref = refOf(options.ref, id);
  const { asked, view } = firing;
  const reason = whyNot(view, on);
  if (reason !== undefined) {
    const ended = { ref, node: String(on), name: program, outcome: "refused", output: "" };
    firing.publish(events.RunEnded, { ...ended, reason, asked });
    firing.why(`does not run ${program}: ${reason}`);
    return ref;
  }
  const about = { service: "halon-run", instance: instanceOf("halon-run", on, id), ref, asked };
  firing.send({
    id,
    node: on,
    action: { type: "RunProgram", ...about, name: program, args, timeoutMs },
    deadlineMs: timeoutMs + answerMs,
  });
  firing.why(`${on} runs ${program}`);
  return ref;
}

/** Sends CallWebhook; when no node can call, the call has ended as refused. Gives its ref. */
export function callWebhook(firing: EffectFiring, options: CallOptions): string {
  const url = checked(CallUrl, options.url, "url");
  const headers = headersOf(options.headers ?? {});
  const body = bodyOf(options.body);
  const timeoutMs = deadlineOf(options.deadlineMs);
  const attempts = attemptsOf(options.attempts);
  const id = firing.nextCommandId();
  const ref = refOf(options.ref, id);
  const { asked, view } = firing;
  const node = options.on ?? firstUp(view);
  const reason = node === undefined ? "no node is up to make the call" : whyNot(view, node);
  const shown = shownUrl(url);
  if (node === undefined || reason !== undefined) {
    const ended = { ref, node: node ?? "", url: shown, outcome: "refused", attempts: 0, body: "" };
    firing.publish(events.CallEnded, { ...ended, reason, asked });
    firing.why(`does not call ${shown}: ${reason}`);
    return ref;
  }
  const about = { service: "halon-call", instance: instanceOf("halon-call", node, id), ref, asked };
  firing.send({
    id,
    node,
    action: { type: "CallWebhook", ...about, url, headers, body, attempts, timeoutMs },
    deadlineMs: timeoutMs + answerMs,
  });
  firing.why(`${node} calls ${shown}`);
  return ref;
}

/** A node that is down would get it when it is back, when nobody waits for it any more. */
function whyNot(view: GraphView, name: string): string | undefined {
  const node = view.get("Node", name);
  if (node === undefined) {
    const known = view.list("Node").map(({ id }) => id);
    return `there is no node ${name}; there is ${known.length === 0 ? "none" : known.slice(0, 20).join(", ")}`;
  }
  const { state, mode } = node.attributes;
  if (mode === "decommissioned") return `node ${name} was removed from the cluster`;
  return state === "down" ? `node ${name} is down` : undefined;
}

/** In the order of names: those that people have not set aside, then the others. */
function firstUp(view: GraphView): string | undefined {
  const up = view
    .list("Node")
    .filter(({ attributes: { state, mode } }) => state === "up" && mode !== "decommissioned")
    .sort((a, b) => compareText(a.id, b.id));
  const isOpen = ({ attributes: { mode } }: (typeof up)[number]) =>
    mode === undefined || mode === "active";
  return (up.find(isOpen) ?? up[0])?.id;
}

/** For those who look for commands by instance; the attempt itself is named by the id of the command. */
function instanceOf(service: string, node: string, id: string): string {
  const [index = "0", position = "0"] = id.split(".");
  return instanceId(slotId(service, node), Number(index) * 10_000 + Number(position));
}

function headersOf(given: NonNullable<CallOptions["headers"]>): CallHeaders {
  const names = Object.keys(given).map((name) => name.toLowerCase());
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new TypeError(`headers: ${twice} is given twice`);
  const lower = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]);
  return checked(CallHeaders, Object.fromEntries(lower), "headers");
}

function bodyOf(given: unknown): Json {
  const body = plain(given, "body");
  const { length } = JSON.stringify(body);
  if (length <= bodyCharsMax) return body;
  throw new RangeError(`body is ${length} characters of JSON, a call may have ${bodyCharsMax}`);
}

function deadlineOf(ms: number): number {
  const whole = Math.round(ms);
  if (whole >= 1 && whole <= deadlineMaxMs) return whole;
  throw new RangeError(`deadlineMs is ${ms}; it is a number of ms from 1 to ${deadlineMaxMs}`);
}

function attemptsOf(attempts = attemptsDefault): number {
  if (Number.isInteger(attempts) && attempts >= 1 && attempts <= attemptsMax) return attempts;
  throw new RangeError(`attempts is ${attempts}; it is a whole number from 1 to ${attemptsMax}`);
}

function refOf(ref: string | undefined, id: string): string {
  if (ref === undefined) return id;
  if (typeof ref === "string" && ref !== "" && ref.length <= refCharsMax) return ref;
  throw new RangeError(`ref is a text of 1 to ${refCharsMax} characters`);
}

/** What is wrong is told without the value: it may be a secret that stands in the wrong place. */
function checked<T>(schema: z.ZodType<T>, value: unknown, of: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new TypeError(`${of}: ${z.prettifyError(parsed.error)}`);
}
