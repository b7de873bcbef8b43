import { campaignAgainMs } from "@halon/agency/core";
import { emptyState } from "@halon/coordinator/core";
import { feed } from "../feed.ts";
import type { World } from "../world.ts";
import {
  type CoordinatorInput,
  deltaOf,
  foldNext,
  readBytesMax,
  recoveredState,
  type SimCoordinator,
  saveIfDue,
  tell,
} from "./coordinator-thread.ts";
import { beginToDecide, loseLead, takeDeciding } from "./decider.ts";
import type { MemberProcess } from "./member-process.ts";
import { arm, disarm, give, giveLater, newThread } from "./threads.ts";
import { clusterOf, machineMs, type SimNode, saw } from "./world.ts";

/** A thread reads its log when it has come up; µs. */
const startMinUs = 2_000;
const startMaxUs = 20_000;

/** Starts the coordinator of a node whose member runs. */
export function startCoordinator(world: World, node: SimNode, process: MemberProcess): void {
  const coordinator: SimCoordinator = {
    ...newThread(node, "coordinator"),
    process,
    startedMs: machineMs(world, node),
    isFollowing: false,
    folded: emptyState(),
    installs: -1,
    owner: null,
    decider: null,
    savedIndex: 0,
    saving: null,
  };
  node.coordinator = coordinator;
  const inUs = node.prng.between(startMinUs, startMaxUs);
  giveLater(world, coordinator, { type: "look" }, inUs);
}

/** Takes one of the things that wait for it. */
export function takeCoordinator(
  world: World,
  coordinator: SimCoordinator,
  input: CoordinatorInput,
): void {
  // What it knows of its member is as new as what it is told by it.
  look(world, coordinator);
  if (!coordinator.isAlive || input.type === "look") return;
  if (input.type === "snapshotDone") {
    if (coordinator.saving === input.id) coordinator.saving = null;
    return;
  }
  if (input.type === "due" && input.key === "campaign") return;
  if (coordinator.decider !== null) takeDeciding(world, coordinator, coordinator.decider, input);
  else refuseAsStandby(world, coordinator, input);
}

function refuseAsStandby(world: World, coordinator: SimCoordinator, input: CoordinatorInput): void {
  if (!("ref" in input)) return;
  const message = "The coordinator of this node does not lead; send it to the one that does.";
  const error = { code: "HAL_NO_LEADER", message } as const;
  tell(world, coordinator, { type: "failed", ref: input.ref, error });
}

function look(world: World, coordinator: SimCoordinator): void {
  tellOwner(world, coordinator);
  const { decider, process } = coordinator;
  const { recordsLeading } = process.replica;
  if (decider !== null) {
    if (recordsLeading?.epoch === decider.epoch) return;
    const now =
      recordsLeading === null ? "its member does not lead" : `the term is ${recordsLeading.epoch}`;
    const reason = `This node does not lead any more: ${now} any more.`;
    loseLead(world, coordinator, decider, { code: "HAL_NO_LEADER", message: reason });
    return;
  }
  follow(world, coordinator);
  const verdict = process.ownership.claim(recordsLeading?.epoch ?? null);
  if (verdict !== "campaigns") disarm(coordinator, "campaign");
  if (verdict === "owns" && recordsLeading !== null)
    beginToDecide(world, coordinator, recordsLeading.epoch);
  if (verdict !== "campaigns" || coordinator.timers.has("campaign")) return;
  arm(world, coordinator, "campaign", campaignAgainMs);
  feed(world, coordinator.node.member, { type: "campaign" });
}

function tellOwner(world: World, coordinator: SimCoordinator): void {
  const { leaderId } = coordinator.process.raft;
  const slot = leaderId === null ? undefined : world.slots.get(leaderId);
  const owner = slot === undefined ? null : (clusterOf(world).nodes[slot]?.address ?? null);
  if (owner === coordinator.owner) return;
  coordinator.owner = owner;
  tell(world, coordinator, { type: "owner", address: owner });
}

/** Folds what there is; begins anew where a snapshot from elsewhere has taken the place of records. */
function follow(world: World, coordinator: SimCoordinator): void {
  const { records } = coordinator.process.replica;
  const isBehind = records.base > coordinator.folded.index;
  if (!coordinator.isFollowing || records.installs !== coordinator.installs || isBehind)
    followAnew(world, coordinator);
  const { node } = coordinator;
  while (coordinator.folded.index < records.lastPosition) {
    for (const { position, data } of records.read(coordinator.folded.index + 1, readBytesMax)) {
      const record = foldNext(coordinator.folded, position, data);
      tell(world, coordinator, { type: "record", delta: deltaOf(record) });
      saw(world, { type: "folded", node, record, state: coordinator.folded });
    }
    saveIfDue(world, coordinator, coordinator.folded);
  }
}

function followAnew(world: World, coordinator: SimCoordinator): void {
  const { node, process } = coordinator;
  coordinator.installs = process.replica.records.installs;
  coordinator.folded = recoveredState(world, coordinator);
  coordinator.savedIndex = process.host.saved.position;
  coordinator.isFollowing = true;
  const { index, epoch, graph } = coordinator.folded;
  tell(world, coordinator, { type: "following", graph: graph.copy(), index, epoch });
  saw(world, { type: "following", node, state: coordinator.folded });
}

/** After each step of a member: its coordinator hears what concerns it. */
export function afterMemberStep(world: World, node: SimNode, process: MemberProcess): void {
  const { coordinator } = node;
  const answers = process.takeAnswers();
  const isNews = process.hasNews();
  if (coordinator === null || coordinator.process !== process) return;
  for (const answer of answers) give(world, coordinator, answer);
  if (isNews && answers.length === 0) give(world, coordinator, { type: "look" });
}
