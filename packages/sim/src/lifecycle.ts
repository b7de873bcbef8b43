import { defaultOptions } from "@halon/raft";
import { AgencyProcess } from "./agency-process.ts";
import { onConnectionClosed } from "./clients.ts";
import { MemberProcess } from "./cluster/member-process.ts";
import { losePower } from "./disk.ts";
import { ViolationError, violated } from "./invariants/invariant.ts";
import { linkOf, resetConnection } from "./network.ts";
import { mix } from "./prng.ts";
import type { Process, ProcessStart } from "./process.ts";
import { Registers } from "./registers.ts";
import type { CrashTail } from "./scenario.ts";
import { eventKind, type MemberStatus, type SimMember, type World } from "./world.ts";

const tickUs = 15_000;
/** No clock is so much faster than another, see `clockRates`. */
const leaseDriftMax = 0.05;
/** How long a member waits for room on its disk before it looks again. */
export const retryFullUs = 1_000_000;

/** Starts a process from what the disk holds. */
export function startMember(world: World, member: SimMember): void {
  const { disk } = member;
  if (disk.isDamaged) {
    loseForGood(world, member);
    return;
  }
  if (disk.isFull) {
    member.status = "full";
    scheduleStart(world, member, retryFullUs);
    return;
  }
  const { snapshot, hardState, entries, firstIndex } = disk;
  member.incarnation += 1;
  member.status = "up";
  member.startedAt = world.now;
  member.isFlushDue = false;
  member.isInstalling = false;
  member.sending = null;
  member.comparedIndex = 0;
  const held = firstIndex - 1 === snapshot.meta.index ? snapshot.meta.term : null;
  member.shadow = {
    baseIndex: held === null ? firstIndex : firstIndex - 1,
    baseTerm: held ?? entries[0]?.term ?? 0,
    terms: entries.slice(held === null ? 1 : 0).map(({ term }) => term),
  };
  for (const invariant of world.invariants.all) invariant.onStart?.(world, member);
  const isFirst = snapshot.meta.index === 0 && entries.length === 0 && hardState.term === 0;
  member.process = createProcess(world, member, {
    id: member.id,
    raft: raftOptionsOf(world),
    seed: mix(mix(world.scenario.seed | 0, member.slot), member.incarnation) >>> 0,
    found: isFirst ? null : { hardState, snapshot: snapshot.meta, entries: [...entries] },
    configuration: snapshot.meta.configuration,
    snapshotBytes: snapshot.bytes,
    compactEntries: world.scenario.settings.compactEntries,
    keepEntries: world.scenario.settings.keepEntries,
    agencySize: world.scenario.settings.members,
    hosts: world.scenario.settings.hosts ?? null,
  });
  world.trace.note(world.now, `${member.id} starts, incarnation ${member.incarnation}`);
  member.timers = 0;
  scheduleTick(world, member, member.diskPrng.below(tickUs));
  if (world.cluster !== null) world.cluster.hooks.memberStarted(world, member);
  else if (member.process.host !== null) scheduleHost(world, member, member.process.host.pauseUs());
}

function createProcess(world: World, member: SimMember, start: ProcessStart): Process {
  try {
    const { machine, cluster } = world.scenario.settings;
    if (cluster !== undefined) return new MemberProcess(start);
    return machine === "agency" ? new AgencyProcess(start) : new Registers(start, world.step);
  } catch (error) {
    return violated("I19", `${member.id} did not start: ${textOf(error)}`);
  }
}

function raftOptionsOf({ scenario }: World): ProcessStart["raft"] {
  const { appendBytesMax, inflightMax, leases } = scenario.settings;
  const leaseDrift = leases === true ? leaseDriftMax : null;
  return { ...defaultOptions, appendBytesMax, inflightMax, leaseDrift, promoteLagMax: 50 };
}

/** Lets the next turn of its host come. */
export function scheduleHost(world: World, member: SimMember, inUs: number): void {
  world.queue.push(world.now + inUs, eventKind.host, member.slot, member.incarnation, null);
}

/** Lets the next tick come. */
export function scheduleTick(world: World, member: SimMember, inUs: number = tickUs): void {
  member.timers += 1;
  world.queue.push(
    world.now + Math.round((inUs * 1000) / member.clockRate),
    eventKind.tick,
    member.slot,
    member.incarnation,
    null,
  );
}

/** Ends a process. What was not synced is lost as `tail` says; connections close. */
export function endMember(
  world: World,
  member: SimMember,
  status: MemberStatus,
  tail: CrashTail,
): void {
  const { process, disk, counters } = { ...member, counters: world.counters };
  if (process === null) return;
  const { raft } = process;
  if (raft.role === "leader" && raft.log.lastIndex > raft.commitIndex)
    counters.leaderCrashWithUncommittedTail += 1;
  if (disk.incoming !== null || disk.pending.some(({ type }) => type === "install"))
    counters.snapshotInstallInterrupted += 1;
  const loss = losePower(disk, tail, member.diskPrng);
  if (loss.isTorn) counters.tornTail += 1;
  if (disk.hardState.term > member.durableTerm) member.durableTerm = disk.hardState.term;
  world.trace.note(world.now, `${member.id} ends (${status}), ${loss.lost} writes lost`);
  member.process = null;
  member.status = status;
  member.incarnation += 1;
  member.pausedUntil = 0;
  for (const other of world.members) {
    if (other === member) continue;
    if (world.network.settings.ordered) resetConnection(world.network, member.slot, other.slot);
    if (other.status !== "up" || (world.network.cuts[linkOf(member.slot, other.slot)] ?? 0) > 0)
      continue;
    const inUs = member.diskPrng.between(200, 5_000);
    world.queue.push(world.now + inUs, eventKind.peerLost, other.slot, member.slot, null);
  }
  onConnectionClosed(world, member);
  world.cluster?.hooks.memberEnded(world, member);
}

/** Crashes a member that starts again later. */
export function crashMember(world: World, member: SimMember, forUs: number, tail: CrashTail): void {
  if (member.status !== "up") return;
  world.counters.crashes += 1;
  endMember(world, member, "down", tail);
  scheduleStart(world, member, forUs);
}

/** Lets a member that is down start again later. */
export function scheduleStart(world: World, member: SimMember, inUs: number): void {
  world.queue.push(world.now + inUs, eventKind.start, member.slot, member.incarnation, null);
}

/** A damaged disk: its member never starts again, and the operator replaces it. */
function loseForGood(world: World, member: SimMember): void {
  member.status = "dead";
  world.counters.corruptRecord += 1;
  world.toReplace.push(member.slot);
  world.trace.note(world.now, `${member.id} refuses to start: its log is damaged`);
}

/** What an error says; a broken invariant goes on its way. */
export function textOf(error: unknown): string {
  if (error instanceof ViolationError) throw error;
  return error instanceof Error ? `${error.message}` : String(error);
}
