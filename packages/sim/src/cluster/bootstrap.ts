import {
  addressOf,
  type CompleteSetup,
  type HelloReply,
  isComplete,
  isMaster,
  isPeer,
  lateHello,
  masterConfig,
  type Setup,
  smallestAddress,
  takeHello,
  withConfig,
} from "@halon/node/core";
import { type ClusterConfig, HelloRequest, type Peer } from "@halon/protocol";
import type { World } from "../world.ts";
import {
  ask,
  askEveryMs,
  type BeginningInput,
  keep,
  type Part,
  type Question,
  type SimBeginning,
} from "./beginning.ts";
import { type HttpAnswer, type HttpRequest, sendAnswer } from "./bootstrap-http.ts";
import { askAround, takeHelloReply } from "./bootstrap-join.ts";
import { nextNumber } from "./coordinator-thread.ts";
import { arm, disarm } from "./threads.ts";
import { type SimNode, saw } from "./world.ts";

/** What becomes of a node whose beginning has an end. */
export interface Ends {
  complete(world: World, own: SimBeginning, setup: CompleteSetup): void;
  refused(world: World, own: SimBeginning, code: string, message: string): void;
}

/** Takes one of the things that wait for a node whose cluster begins. */
export function takeBeginning(
  world: World,
  own: SimBeginning,
  input: BeginningInput,
  ends: Ends,
): void {
  const { saving } = own;
  if (saving === null) {
    takeNow(world, own, input, ends);
    return;
  }
  if (input.type !== "due" || input.key !== "saved") {
    own.held.push(input);
    return;
  }
  const { node } = own;
  node.setupDisk.done();
  own.saving = null;
  own.setup = saving.setup;
  saw(world, { type: "setupSaved", node, setup: saving.setup });
  saving.then();
  while (own.isAlive && own.saving === null) {
    const held = own.held.shift();
    if (held === undefined) return;
    takeNow(world, own, held, ends);
  }
}

function takeNow(world: World, own: SimBeginning, input: BeginningInput, ends: Ends): void {
  switch (input.type) {
    case "begin":
      if (isComplete(own.setup)) ends.complete(world, own, own.setup);
      else if (isMaster(own.setup)) lead(world, own, ends);
      else findMaster(world, own, ends);
      return;
    case "http":
      answer(world, own, input.request, ends);
      return;
    case "reply":
      takeReply(world, own, input.ref, input.reply, ends);
      return;
    case "due":
      if (input.key === "find") findMaster(world, own, ends);
      else if (input.key === "join") askAround(world, own);
      else if (input.key.startsWith("late:")) {
        const none = { type: "none", reason: "no answer within 2000 ms" } as const;
        takeReply(world, own, Number(input.key.slice("late:".length)), none, ends);
      }
  }
}

function takeReply(
  world: World,
  own: SimBeginning,
  ref: number,
  reply: HelloReply,
  ends: Ends,
): void {
  const question = own.asked.get(ref);
  if (question === undefined) return;
  own.asked.delete(ref);
  disarm(own, `late:${ref}`);
  if (question.type === "isMaster") foundFirst(world, own, question, nodeIn(reply), ends);
  else if (question.type === "runs") foundOther(world, own, question, nodeIn(reply), ends);
  else
    takeHelloReply(world, own, question, reply, {
      complete: () => {
        if (isComplete(own.setup)) ends.complete(world, own, own.setup);
      },
      end: (code, message) => ends.refused(world, own, code, message),
    });
}

interface NodeId {
  readonly id: string;
  readonly role: string | null;
}

function nodeIn(reply: HelloReply): NodeId | undefined {
  return reply.type === "answer" && reply.status === 200 ? (reply.body as NodeId) : undefined;
}

function findMaster(world: World, own: SimBeginning, ends: Ends): void {
  const { join } = own.setup;
  if (join.length === 0) {
    lead(world, own, ends);
    return;
  }
  const first = smallestAddress(join);
  if (join.length === 1) become(world, own, first);
  else askWho(world, own, { type: "isMaster", address: first });
}

function askWho(world: World, own: SimBeginning, question: Question): void {
  ask(world, own, { method: "GET", path: "/id" }, question);
}

function foundFirst(
  world: World,
  own: SimBeginning,
  { address }: Question,
  found: NodeId | undefined,
  ends: Ends,
): void {
  const { id, join } = own.setup;
  if (found !== undefined && found.id !== id) {
    become(world, own, address);
    return;
  }
  own.running = [];
  const others = join.filter((other) => other !== address);
  const isItself = found !== undefined;
  for (const other of others) askWho(world, own, { type: "runs", address: other, isItself });
  if (others.length > 0) return;
  if (isItself) lead(world, own, ends);
  else arm(world, own, "find", askEveryMs);
}

/** One that lost its disk must not begin a second cluster beside the one that its list belongs to. */
function foundOther(
  world: World,
  own: SimBeginning,
  { address, isItself }: Question & { readonly type: "runs" },
  found: NodeId | undefined,
  ends: Ends,
): void {
  if (found !== undefined && found.role !== null) own.running.push(address);
  if ([...own.asked.values()].some(({ type }) => type === "runs")) return;
  const running = own.setup.join.find((one) => own.running.includes(one));
  if (running !== undefined) become(world, own, running);
  else if (isItself) lead(world, own, ends);
  else arm(world, own, "find", askEveryMs);
}

/** A joiner. Its id must be on disk before another node knows it: it could never come back under a second one. */
function become(world: World, own: SimBeginning, master: string): void {
  own.part = { type: "joiner", master };
  keep(world, own, own.setup, () => askAround(world, own));
}

function lead(world: World, own: SimBeginning, ends: Ends): void {
  const number = String(nextNumber(world)).padStart(12, "0");
  const config = masterConfig(own.setup, `10000000-0000-4000-8000-${number}`);
  decide(world, own, config, new Map(), ends, () => undefined);
}

/** Writes the configuration, and only then makes it known. */
function decide(
  world: World,
  own: SimBeginning,
  config: ClusterConfig,
  dataDirs: Map<string, string>,
  ends: Ends,
  then: () => void,
): void {
  keep(world, own, withConfig(own.setup, config), () => {
    own.part = { type: "master", config, dataDirs };
    then();
    if (isComplete(own.setup)) ends.complete(world, own, own.setup);
  });
}

/** Answers `GET /id` and `/hello` while the cluster begins. */
function answer(world: World, own: SimBeginning, request: HttpRequest, ends: Ends): void {
  const { node, setup, part } = own;
  const say = (said: HttpAnswer): void => sendAnswer(world, node, request, said);
  const { id, name, clusterId } = setup;
  if (request.path === "/id") {
    say({ status: 200, body: { id, name, clusterId, role: null } });
    return;
  }
  const hello = helloIn(request);
  if (part.type === "master") welcome(world, own, part, { request, hello }, ends);
  else if (hello?.id === id) say(isItself(setup));
  else if (part.type === "joiner")
    say({ status: 307, location: `http://${part.master}/hello`, body: null });
  else say(refusal(503, "HAL_NO_LEADER", `${name} has not found the master yet.`));
}

function isItself({ join, name }: Setup): HttpAnswer {
  return join.length > 1
    ? refusal(503, "HAL_NO_LEADER", `${name} is asked by itself.`)
    : refusal(409, "HAL_CONFLICT", `The address to join, ${join[0]}, is this node itself.`);
}

function welcome(
  world: World,
  own: SimBeginning,
  { config, dataDirs }: Part & { readonly type: "master" },
  { request, hello }: { readonly request: HttpRequest; readonly hello: HelloRequest | undefined },
  ends: Ends,
): void {
  if (hello === undefined) {
    sendAnswer(world, own.node, request, { status: 200, body: config });
    return;
  }
  const verdict = takeHello(config, dataDirs, hello);
  if (verdict.type === "refused") {
    sendAnswer(world, own.node, request, refusal(409, verdict.code, verdict.message));
    return;
  }
  const tell = (): void => {
    dataDirs.set(hello.id, hello.dataDir);
    tellConfig(world, own.node, request, hello, verdict.config);
  };
  if (verdict.config !== config) decide(world, own, verdict.config, dataDirs, ends, tell);
  else {
    world.counters.helloTwice += 1;
    tell();
  }
}

/** What a running node knows when it is said hello to. */
export interface Running {
  readonly node: SimNode;
  readonly setup: CompleteSetup;
  /** `host:port` of the leader; null where there is none. */
  readonly leader: string | null;
  readonly nodes: readonly Pick<Peer, "name" | "address">[];
}

/** Answers the same on a node of a complete cluster: the leader takes satellites in, others send to it. */
export function answerRunning(world: World, running: Running, request: HttpRequest): void {
  const { node, setup, leader, nodes } = running;
  const say = (said: HttpAnswer): void => sendAnswer(world, node, request, said);
  const { id, name, clusterId, role, agencySize, store, peers } = setup;
  if (request.path === "/id") {
    say({ status: 200, body: { id, name, clusterId, role } });
    return;
  }
  const config = { clusterId, agencySize, store, complete: true, peers };
  const hello = helloIn(request);
  if (hello === undefined) {
    say({ status: 200, body: config });
    return;
  }
  const verdict = lateHello(config, hello);
  if (verdict.type === "refused") say(refusal(409, verdict.code, verdict.message));
  else if (isPeer(config, hello)) tellConfig(world, node, request, hello, verdict.config);
  else if (leader === null) say(refusal(503, "HAL_NO_LEADER", `${name} knows no leader.`));
  else if (leader !== addressOf(setup))
    say({ status: 307, location: `http://${leader}/hello`, body: null });
  else {
    const late = lateHello(config, hello, nodes);
    if (late.type === "refused") say(refusal(409, late.code, late.message));
    else tellConfig(world, node, request, hello, late.config);
  }
}

function tellConfig(
  world: World,
  node: SimNode,
  request: HttpRequest,
  to: HelloRequest,
  config: ClusterConfig,
): void {
  saw(world, { type: "helloAnswered", node, to, config });
  sendAnswer(world, node, request, { status: 200, body: config });
}

function helloIn({ text }: HttpRequest): HelloRequest | undefined {
  return text === "" ? undefined : HelloRequest.parse(JSON.parse(text));
}

function refusal(status: number, errorCode: string, errorMessage: string): HttpAnswer {
  return { status, body: { errorCode, errorMessage } };
}
