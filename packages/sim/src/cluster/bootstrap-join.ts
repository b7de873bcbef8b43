import { addressOf, type HelloReply, isComplete, joinStep, withConfig } from "@halon/node/core";
import type { World } from "../world.ts";
import { ask, askEveryMs, helloOf, keep, type Question, type SimBeginning } from "./beginning.ts";
import { arm } from "./threads.ts";

/** A leader may change while it is asked for; more redirects than this are a circle. */
const redirectsMax = 5;

/** What follows of a joiner: it goes on as a node, or ends for good. */
export interface JoinOutcome {
  complete(): void;
  end(code: string, message: string): void;
}

/** Asks whoever's turn it is. */
export function askAround(world: World, own: SimBeginning): void {
  const addresses = candidates(own);
  const address = addresses[own.turn % addresses.length] ?? "";
  askHello(world, own, { type: "hello", method: own.method, address, redirects: 0 });
}

/** The master or the list first, then the peers of the configuration: they may have heard its end when the master is gone. */
function candidates({ setup, part }: SimBeginning): readonly string[] {
  const master = part.type === "joiner" ? [part.master] : [];
  const told = new Set([...master, ...setup.join]);
  const all = new Set([...told, ...setup.peers.map(({ address }) => address)]);
  const others = [...all].filter((address) => address !== addressOf(setup));
  return others.length === 0 ? [...told] : others;
}

function askHello(
  world: World,
  own: SimBeginning,
  question: Question & { readonly type: "hello" },
): void {
  const { method } = question;
  const body = method === "POST" ? { body: helloOf(own) } : {};
  ask(world, own, { method, path: "/hello", ...body }, question);
}

/** Reads what came of a hello. */
export function takeHelloReply(
  world: World,
  own: SimBeginning,
  question: Question & { readonly type: "hello" },
  reply: HelloReply,
  outcome: JoinOutcome,
): void {
  const { method, address, redirects } = question;
  const { setup } = own;
  const step = joinStep(setup, { method, address }, reply);
  switch (step.type) {
    case "end":
      outcome.end(step.code, step.message);
      return;
    case "ask":
      if (redirects < redirectsMax)
        askHello(world, own, { ...question, address: step.address, redirects: redirects + 1 });
      else again(world, own);
      return;
    case "again":
      again(world, own);
      return;
    case "unknown":
      own.method = "POST";
      askAround(world, own);
      return;
    case "config": {
      const next = withConfig(setup, step.config);
      const goOn = (): void => {
        if (isComplete(next)) outcome.complete();
        else arm(world, own, "join", askEveryMs);
      };
      own.method = "GET";
      const isNews = next.peers.length !== setup.peers.length;
      if (method === "POST" || isComplete(next) || isNews) keep(world, own, next, goOn);
      else goOn();
    }
  }
}

function again(world: World, own: SimBeginning): void {
  own.turn += 1;
  arm(world, own, "join", askEveryMs);
}
