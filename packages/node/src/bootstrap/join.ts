import { HalonError, type HelloRequest } from "@halon/protocol";
import { type JoinStep, joinStep } from "../core/bootstrap-join.ts";
import {
  addressOf,
  type CompleteSetup,
  isComplete,
  type Setup,
  withConfig,
} from "../core/bootstrap-setup.ts";
import { missingText } from "../core/bootstrap-text.ts";
import { ask } from "./ask.ts";
import { pause } from "./pause.ts";
import type { Speaker } from "./speaker.ts";

/** A leader may change while it is asked for; more redirects than this are a circle. */
const redirectsMax = 5;

export interface JoinOptions {
  /** Whom to ask; the first is meant, the others stand in where it does not answer. */
  readonly addresses: readonly string[];
  setup(): Setup;
  /** Writes it to disk. */
  keep(setup: Setup): void;
  /** The hello of this node as it is now. */
  request(): HelloRequest;
  readonly speaker: Speaker;
  readonly askEveryMs: number;
  readonly signal: AbortSignal;
}

/** Says hello until it is answered, then asks for the configuration until that is complete. */
export async function join(options: JoinOptions): Promise<CompleteSetup> {
  const { speaker, askEveryMs, signal } = options;
  let method: "POST" | "GET" = "POST";
  for (let turn = 0; ; ) {
    const addresses = candidates(options);
    const address = addresses[turn % addresses.length] ?? "";
    const step = await askAround(options, method, address);
    if (step.type === "end") throw new HalonError(step.code, step.message);
    if (step.type === "config") {
      const setup = options.setup();
      const next = withConfig(setup, step.config);
      if (method === "POST" || step.config.complete || next.peers.length !== setup.peers.length) {
        options.keep(next);
      }
      if (isComplete(next)) return next;
      method = "GET";
      speaker.waitFor(`${next.peers.length}`, `${missingText(step.config)}, as ${address} tells.`);
    } else if (step.type === "unknown") {
      method = "POST";
      continue;
    } else {
      turn += 1;
      speaker.waitFor("again", `waiting for an answer to hello. ${step.why}`);
    }
    await pause(askEveryMs, signal);
  }
}

/** Other nodes of the configuration may have heard its end when the master is gone. */
function candidates({ addresses, setup }: JoinOptions): readonly string[] {
  const known = setup();
  const own = addressOf(known);
  const all = new Set([...addresses, ...known.peers.map(({ address }) => address)]);
  const others = [...all].filter((address) => address !== own);
  // A node that was told to join itself alone is to hear that from itself.
  return others.length === 0 ? addresses : others;
}

type Outcome = Exclude<JoinStep, { readonly type: "ask" }>;

/** Asks, and goes where it is sent. */
async function askAround(
  { setup, request, signal }: JoinOptions,
  method: "POST" | "GET",
  start: string,
): Promise<Outcome> {
  let address = start;
  for (let redirects = 0; redirects <= redirectsMax; redirects += 1) {
    const body = method === "POST" ? { body: request() } : {};
    const reply = await ask({ method, address, path: "/hello", ...body }, signal);
    const step = joinStep(setup(), { method, address }, reply);
    if (step.type !== "ask") return step;
    address = step.address;
  }
  const why = `${start} sends to others in a circle, lastly to ${address}. If no cluster runs yet, start one of them without --join: it is the master.`;
  return { type: "again", why };
}
