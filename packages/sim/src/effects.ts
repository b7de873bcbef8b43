import { encodeMessage, type Message } from "@halon/raft";
import { onClientAnswer } from "./clients.ts";
import type { DiskWrite } from "./disk.ts";
import { isWhole } from "./host-snapshot.ts";
import { violated } from "./invariants/invariant.ts";
import { endMember, scheduleStart } from "./lifecycle.ts";
import { checksumOf, corrupted, fly, linkOf } from "./network.ts";
import type { ProcessEffect } from "./process.ts";
import { hasHosts } from "./scenario.ts";
import { eventKind, type SimMember, type World } from "./world.ts";

const reopenUs = 1_000_000;

/** Carries out what a process asks for. */
export function perform(world: World, member: SimMember, effect: ProcessEffect): void {
  switch (effect.type) {
    case "send": {
      sendMessage(world, member, member.incarnation, effect.message);
      return;
    }
    case "persist": {
      write(world, member, effect);
      return;
    }
    case "receiveSnapshot": {
      receivePart(member, effect);
      return;
    }
    case "installSnapshot": {
      const { incoming } = member.disk;
      if (incoming === null || incoming.meta.index !== effect.snapshot.index) {
        violated("I13", `${member.id} installs a snapshot that has not arrived`);
        return;
      }
      if (hasHosts(world.scenario.settings) && !isWhole(incoming.bytes)) {
        onBadSnapshot(world, member);
        return;
      }
      const snapshot = { meta: effect.snapshot, bytes: incoming.bytes };
      for (const invariant of world.invariants.all) invariant.onSnapshot?.(world, member, snapshot);
      member.disk.incoming = null;
      const { keepLog, whenDurable } = effect;
      write(world, member, { type: "install", snapshot, keepLog, whenDurable });
      return;
    }
    case "sendSnapshot": {
      sendPart(world, member, effect);
      return;
    }
    case "takeSnapshot":
      for (const invariant of world.invariants.all)
        invariant.onSnapshot?.(world, member, effect.snapshot);
      {
        write(world, member, { type: "save", snapshot: effect.snapshot, fails: effect.fails });
        return;
      }
    case "compactLog": {
      write(world, member, { type: "compact", firstIndex: effect.firstIndex });
      return;
    }
    case "answer": {
      onClientAnswer(world, member, effect.id, effect.answer);
      return;
    }
    case "applyMore": {
      world.queue.push(world.now, eventKind.apply, member.slot, member.incarnation, null);
      return;
    }
    case "hostAppend":
    case "hostAppended":
    case "hostAsks":
    case "hostAnswered":
    case "hostSnapshotDone":
    case "notify":
      return;
    case "removed":
      world.trace.note(world.now, `${member.id} was removed`);
      {
        endMember(world, member, "removed", "prefix");
        return;
      }
  }
}

/**
 * A leader that was away has another state of its host at the same index: its parts do not fit the earlier ones. As
 * the driver of the agency does, the member opens its log again and is sent the snapshot anew.
 */
function onBadSnapshot(world: World, member: SimMember): void {
  world.counters.mixedSnapshots += 1;
  world.trace.note(world.now, `${member.id} got parts of two snapshots`);
  endMember(world, member, "down", "prefix");
  scheduleStart(world, member, reopenUs);
}

function write(world: World, member: SimMember, request: DiskWrite): void {
  const { disk, diskPrng } = member;
  const { diskMinUs, diskMaxUs } = world.scenario.settings;
  const takes = diskPrng.between(diskMinUs, diskMaxUs) * disk.slowness;
  disk.busyUntil = Math.max(disk.busyUntil, world.now + takes);
  disk.pending.push(request);
  world.queue.push(disk.busyUntil, eventKind.diskDone, member.slot, member.incarnation, null);
}

function receivePart(
  { id, disk }: SimMember,
  { snapshot, offset, data }: ProcessEffect & { readonly type: "receiveSnapshot" },
): void {
  const held = offset === 0 ? new Uint8Array(0) : disk.incoming?.bytes;
  if (held?.length !== offset)
    violated("I13", `${id} keeps a part of a snapshot at ${offset} of ${held?.length ?? 0}`);
  if (offset > 0 && disk.incoming?.meta.index !== snapshot.index)
    violated("I13", `${id} goes on with parts of snapshot ${snapshot.index}, not of the one begun`);
  const bytes = new Uint8Array(held.length + data.length);
  bytes.set(held);
  bytes.set(data, held.length);
  disk.incoming = { meta: snapshot, bytes };
}

function sendPart(
  world: World,
  member: SimMember,
  effect: ProcessEffect & { readonly type: "sendSnapshot" },
): void {
  const { process } = member;
  // What was begun is read on, though another of its index may have taken its place.
  if (member.sending?.meta.index !== effect.snapshot.index) member.sending = member.disk.snapshot;
  const { meta, bytes } = member.sending;
  // A newer snapshot has taken its place: the follower is asked again with that one.
  if (process === null || meta.index !== effect.snapshot.index) return;
  const data = bytes.slice(
    effect.offset,
    effect.offset + world.scenario.settings.snapshotChunkBytes,
  );
  sendMessage(world, member, member.incarnation, {
    type: "snapshotChunk",
    from: member.id,
    to: effect.to,
    term: process.raft.currentTerm,
    snapshot: effect.snapshot,
    offset: effect.offset,
    data,
    done: effect.offset + data.length >= bytes.length,
    round: effect.round,
  });
}

/** Hands a message to the network. */
export function sendMessage(
  world: World,
  member: SimMember,
  incarnation: number,
  message: Message,
): void {
  for (const invariant of world.invariants.beforeSend)
    invariant.beforeSend?.(world, member, incarnation, message);
  const to = world.slots.get(message.to);
  if (to === undefined) return;
  const { network, flight, queue } = world;
  const link = linkOf(member.slot, to);
  fly(network, link, world.now, flight);
  if (flight.arrival < 0) return;
  const bytes = encodeMessage(message);
  const checksum = network.settings.corrupt > 0 ? checksumOf(bytes) : 0;
  const packed = link | ((network.connections[link] ?? 0) << 8);
  const sent = flight.isCorrupted ? corrupted(bytes, member.diskPrng) : bytes;
  queue.push(flight.arrival, eventKind.deliver, packed, checksum, sent);
  if (flight.secondArrival >= 0)
    queue.push(flight.secondArrival, eventKind.deliver, packed, checksum, bytes);
}
