import { type Configuration, configurationAt, encodeConfiguration } from "@halon/raft";
import { memberPartOf } from "../cluster/member-snapshot.ts";
import type { StoredSnapshot } from "../disk.ts";
import { canonicalBytes, splitSnapshot } from "../host-snapshot.ts";
import { hashBytes, mix } from "../prng.ts";
import type { SimMember } from "../world.ts";
import { type Invariant, type InvariantId, violated } from "./invariant.ts";

/** How often states are compared, in entries. */
const interval = 50;

/** I12: members that have applied the same entries have the same state. */
export function equalStates(): Invariant {
  const hashes = new Map<number, number>();
  return {
    id: "I12",
    name: "equal states",
    afterStep(_world, { member }) {
      const process = member.process;
      if (process === null || process.appliedIndex % interval !== 0) return;
      if (process.appliedIndex === member.comparedIndex || process.appliedIndex === 0) return;
      member.comparedIndex = process.appliedIndex;
      compare("I12", hashes, member, process.appliedIndex, process.stateBytes());
    },
  };
}

/** I13: a snapshot at an index is the state that comes of all entries up to it, and their configuration (Raft §7). */
export function snapshotsEqualReplay(): Invariant {
  const hashes = new Map<number, number>();
  return {
    id: "I13",
    name: "snapshot equals replay",
    onSnapshot(world, member, snapshot: StoredSnapshot) {
      const { index, configuration } = snapshot.meta;
      const { hosts, cluster } = world.scenario.settings;
      const hasHost = hosts !== undefined || cluster !== undefined;
      const own = cluster === undefined ? snapshot.bytes : memberPartOf(snapshot.bytes);
      const bytes = hasHost ? withoutBase(member, own) : own;
      compare("I13", hashes, member, index, bytes, configuration);
    },
    afterStep(_world, { member, input }) {
      if (input.type !== "snapshotInstalled" || member.process === null) return;
      const { index } = input.snapshot.meta;
      const { appliedIndex, raft } = member.process;
      if (appliedIndex !== index) return;
      const configuration = configurationAt(raft, index);
      compare("I13", hashes, member, index, member.process.stateBytes(), configuration);
    },
  };
}

/** Each member has its host's state as of another position. */
function withoutBase({ id }: SimMember, bytes: Uint8Array): Uint8Array {
  try {
    return canonicalBytes(splitSnapshot(bytes));
  } catch (error) {
    return violated("I13", `a snapshot of ${id} cannot be read: ${textOf(error)}`);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function compare(
  id: InvariantId,
  hashes: Map<number, number>,
  member: SimMember,
  index: number,
  bytes: Uint8Array,
  configuration: Configuration | null = null,
): void {
  const state = hashBytes(bytes);
  const hash =
    configuration === null ? state : mix(state, hashBytes(encodeConfiguration(configuration)));
  const known = hashes.get(index);
  if (known === undefined) hashes.set(index, hash);
  else if (known !== hash)
    violated(id, `the state of ${member.id} at ${index} is another than elsewhere`);
}
