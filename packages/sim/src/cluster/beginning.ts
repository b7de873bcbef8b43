import { addressOf, type HelloReply, type Setup } from "@halon/node/core";
import { type ClusterConfig, type HelloRequest, helloProtocol } from "@halon/protocol";
import type { World } from "../world.ts";
import { type HttpRequest, sendRequest } from "./bootstrap-http.ts";
import { arm, type Due, type Thread } from "./threads.ts";
import { clusterOf, saw } from "./world.ts";

/** What waits for a `halond` whose cluster begins. */
export type BeginningInput =
  | Due
  | { readonly type: "begin" }
  | { readonly type: "http"; readonly request: HttpRequest }
  | { readonly type: "reply"; readonly ref: number; readonly reply: HelloReply };

/** What a node is while its cluster begins. */
export type Part =
  | { readonly type: "undecided" }
  | { readonly type: "joiner"; readonly master: string }
  | {
      readonly type: "master";
      readonly config: ClusterConfig;
      /** What each peer said of its own, by id. */
      readonly dataDirs: Map<string, string>;
    };

/** What a node asked another, and has no answer to. */
export type Question =
  | { readonly type: "isMaster"; readonly address: string }
  | { readonly type: "runs"; readonly address: string; readonly isItself: boolean }
  | {
      readonly type: "hello";
      readonly method: "GET" | "POST";
      readonly address: string;
      readonly redirects: number;
    };

/** One start of a `halond` until its cluster is complete: everything it does in one thread. */
export interface SimBeginning extends Thread<BeginningInput> {
  setup: Setup;
  part: Part;
  readonly asked: Map<number, Question>;
  /** What it writes to `setup.json`, and what follows; it does nothing else meanwhile. */
  saving: { readonly setup: Setup; readonly then: () => void } | null;
  /** What has come while it writes. */
  held: BeginningInput[];
  /** Addresses at which a complete cluster runs, as far as those asked have answered. */
  running: string[];
  /** Of a joiner: how it asks next, and how often nobody had an answer for it. */
  method: "GET" | "POST";
  turn: number;
}

/** Between two questions of one who waits; ms. */
export const askEveryMs = 1_000;
/** How long an answer may take; ms. */
const askTimeoutMs = 2_000;

/** Writes the setup; what comes meanwhile waits. `then` is what rests on it. */
export function keep(world: World, own: SimBeginning, setup: Setup, then: () => void): void {
  const { node } = own;
  const { diskMinUs, diskMaxUs } = world.scenario.settings;
  own.saving = { setup, then };
  node.setupDisk.begin(setup);
  saw(world, { type: "setupSaving", node, setup });
  const { saveSlowness = 1 } = clusterOf(world).settings.bootstrap ?? {};
  const slowness = node.member.disk.slowness * saveSlowness;
  arm(world, own, "saved", (node.prng.between(diskMinUs, diskMaxUs) * slowness) / 1_000);
}

/** Asks at an address; the answer comes as `reply`, at the latest when the time for it is over. */
export function ask(
  world: World,
  own: SimBeginning,
  what: Parameters<typeof sendRequest>[3],
  question: Question,
): void {
  const ref = sendRequest(world, own.node, question.address, what);
  own.asked.set(ref, question);
  arm(world, own, `late:${ref}`, askTimeoutMs);
}

/** The hello of the node as it is now. */
export function helloOf({ setup, node }: SimBeginning): HelloRequest {
  const { id, name, clusterId, agencySize, store, local } = setup;
  return {
    id,
    name,
    address: addressOf(setup),
    dataDir: `${node.name}:${node.dataDir}`,
    protocol: helloProtocol,
    clusterId,
    agency: local === null || local <= (agencySize ?? 3),
    agencySize,
    store,
  };
}
