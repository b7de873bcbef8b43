import {
  type CompleteSetup,
  freshSetup,
  isComplete,
  relaunched,
  type Setup,
  type SetupOptions,
} from "@halon/node/core";
import { emptyDisk } from "../disk.ts";
import { violated } from "../invariants/invariant.ts";
import { startMember } from "../lifecycle.ts";
import { emptySnapshot } from "../process.ts";
import { eventKind, type World } from "../world.ts";
import { keep, type SimBeginning } from "./beginning.ts";
import type { Ends } from "./bootstrap.ts";
import { nextNumber } from "./coordinator-thread.ts";
import { startHalond } from "./main.ts";
import { endThread, give, newThread } from "./threads.ts";
import { clusterOf, type SimNode, saw, wallMs } from "./world.ts";

const path = "setup.json";
/** What wall clocks show at the virtual time 0, and what is taken from that: incarnations stay small; ms. */
const zeroMs = 1_700_000_000_000 - 10_000_000;

/** Lets each node start when the scenario says so; nobody knows another. */
export function bootNodes(world: World): void {
  const { nodes, settings } = clusterOf(world);
  for (const node of nodes) {
    const { member, slot } = node;
    // What was to start it is void: nobody knows yet whose members there are.
    member.incarnation += 1;
    member.status = "absent";
    world.queue.push(settings.bootstrap?.startUs[slot] ?? 0, eventKind.node, slot, 0, null);
  }
}

/** `halond` is started on a node that is down: from its setup, or for the first time. */
export function startNode(world: World, node: SimNode): void {
  const found = load(world, node);
  if (found === null) return;
  node.incarnation = found.incarnation;
  node.isLost = false;
  node.refusal = null;
  if (isComplete(found)) {
    node.setupDisk.begin(found);
    saw(world, { type: "setupSaving", node, setup: found });
    node.setupDisk.done();
    saw(world, { type: "setupSaved", node, setup: found });
    open(world, node, found);
    return;
  }
  const own: SimBeginning = {
    ...newThread(node, "main"),
    setup: found,
    part: { type: "undecided" },
    asked: new Map(),
    saving: null,
    held: [],
    running: [],
    method: "POST",
    turn: 0,
  };
  node.beginning = own;
  node.status = "begins";
  world.trace.note(world.now, `${node.name} begins, incarnation ${found.incarnation}`);
  const begin = (): void => give(world, own, { type: "begin" });
  // The first setup is on disk only when the node knows what it is.
  if (node.setupDisk.text === null) begin();
  else keep(world, own, found, begin);
}

/** The setup of this start; null: it is refused. */
function load(world: World, node: SimNode): Setup | null {
  const found = node.setupDisk.read();
  const options = optionsOf(world, node);
  if (found.type === "damaged") violated("C20", `${path} of ${node.name}: ${found.reason}`);
  const now = wallMs(world, node) - zeroMs;
  saw(world, { type: "setupFound", node, setup: found.type === "setup" ? found.setup : null });
  if (found.type === "none") {
    const { disk } = node.member;
    if (disk.entries.length > 0 || disk.hardState.term > 0) {
      const message = `agency/ of ${node.name} has data and ${path} is missing.`;
      refuse(world, node, "HAL_DATA_DIR_INVALID", message);
      return null;
    }
    const id = `00000000-0000-4000-8000-${String(nextNumber(world)).padStart(12, "0")}`;
    const verdict = freshSetup(options, { id, hostname: node.name, now });
    if (verdict.type === "setup") return verdict.setup;
    refuse(world, node, verdict.code, verdict.message);
    return null;
  }
  const verdict = relaunched(found.setup, options, path);
  if (verdict.type === "setup")
    return { ...verdict.setup, incarnation: Math.max(found.setup.incarnation + 1, now) };
  refuse(world, node, verdict.code, verdict.message);
  return null;
}

/** The options of the command line that starts the node. */
function optionsOf(world: World, node: SimNode): SetupOptions {
  const { settings, nodes } = clusterOf(world);
  const { slot, name, address } = node;
  const { join = [], byNumber = true } = settings.bootstrap ?? {};
  const joined = (join[slot] ?? []).flatMap((other) => nodes[other]?.address ?? []);
  const agencySize = world.scenario.settings.members as SetupOptions["agencySize"];
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  return {
    name,
    listen: { host: name, port },
    advertise: undefined,
    join: joined,
    agencySize:
      byNumber || joined.length === 0 || joined.includes(address) ? agencySize : undefined,
    local: byNumber ? slot + 1 : undefined,
    store: undefined,
    ...node.startOptions,
  };
}

/** `halond` ends with a message; a person has to do something. */
function refuse(world: World, node: SimNode, code: string, message: string): void {
  node.refusal = { code, message };
  node.status = "down";
  world.trace.note(world.now, `${node.name} does not start: ${message}`);
  saw(world, { type: "startRefused", node, code, message });
}

/** What comes of a beginning. */
export const beginningEnds: Ends = {
  complete(world, own, setup) {
    const { node, inbox, held } = own;
    const waiting = [...held, ...inbox];
    endThread(own);
    node.beginning = null;
    open(world, node, setup);
    const { halond } = node;
    if (halond === null) return;
    for (const input of waiting) if (input.type === "http") give(world, halond, input);
  },
  refused(world, own, code, message) {
    endThread(own);
    own.node.beginning = null;
    refuse(world, own.node, code, message);
  },
};

/** A node of a complete cluster opens what is on its disk, and runs. */
function open(world: World, node: SimNode, setup: CompleteSetup): void {
  node.setup = setup;
  node.role = setup.role;
  node.status = "down";
  if (setup.role === "satellite") startHalond(world, node);
  else openMember(world, node, setup);
}

function openMember(world: World, { member, name }: SimNode, { peers }: CompleteSetup): void {
  const { snapshot, hardState } = member.disk;
  if (member.status === "absent") {
    if (snapshot.meta.index !== 0 || hardState.term !== 0)
      throw new Error(`${name} begins with a log of another`);
    const ids = peers
      .filter(({ role }) => role === "tracking")
      .map((peer) => clusterOf(world).byName.get(peer.name)?.member.id ?? peer.name)
      .sort();
    const members = ids.map((id) => ({ id, address: `${id}:1` }));
    const first = { members, voters: ids, outgoing: [], learners: [] };
    member.disk = { ...emptyDisk(emptySnapshot(first)), slowness: member.disk.slowness };
    world.configurations.splice(0, world.configurations.length, first);
  }
  member.status = "down";
  startMember(world, member);
}

/** Before the `halond` of a tracking node runs, whose member was started by its slot: it reads its setup. */
export function relaunch(world: World, node: SimNode): void {
  if (node.setup !== null) return;
  const setup = load(world, node);
  if (setup === null || !isComplete(setup))
    violated("C20", `${node.name} was part of a complete cluster, and does not know it any more`);
  node.setupDisk.begin(setup);
  saw(world, { type: "setupSaving", node, setup });
  node.setupDisk.done();
  saw(world, { type: "setupSaved", node, setup });
  node.setup = setup;
  node.incarnation = setup.incarnation;
}
