import type { ProgressCounters } from "./progress.ts";

/** A beat as it goes over the network. */
export interface Beat {
  readonly node: string;
  readonly incarnation: number;
  /** Grows with each beat that this start of the node sends. */
  readonly sequence: number;
  readonly counters: ProgressCounters;
}

/** Of the hash of a cluster's id; beats of other clusters are dropped by it. */
export const clusterHashBytes = 8;
/** Longer datagrams are no beats. */
export const beatBytesMax = 512;

const magic = 0x4862;
const version = 1;
const nameBytesMax = 63;
const name = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Where each field begins; integers are big-endian. */
const at = {
  magic: 0,
  version: 2,
  nameBytes: 3,
  cluster: 4,
  incarnation: 12,
  sequence: 20,
  main: 28,
  supervisor: 32,
  coordinator: 36,
  member: 40,
  name: 44,
} as const;

/** `cluster` has 8 bytes; the name is one of a node, incarnation and sequence are safe integers. */
export function encodeBeat(beat: Beat, cluster: Uint8Array): Buffer {
  const { node, incarnation, sequence, counters } = beat;
  const bytes = Buffer.alloc(at.name + node.length);
  bytes.writeUInt16BE(magic, at.magic);
  bytes.writeUInt8(version, at.version);
  bytes.writeUInt8(node.length, at.nameBytes);
  bytes.set(cluster, at.cluster);
  bytes.writeBigUInt64BE(BigInt(incarnation), at.incarnation);
  bytes.writeBigUInt64BE(BigInt(sequence), at.sequence);
  for (const part of ["main", "supervisor", "coordinator", "member"] as const)
    bytes.writeUInt32BE(counters[part], at[part]);
  bytes.write(node, at.name, "latin1");
  return bytes;
}

/** Null: no beat of this cluster and version, to the byte. */
export function decodeBeat(bytes: Buffer, cluster: Uint8Array): Beat | null {
  if (bytes.length <= at.name || bytes.length > beatBytesMax) return null;
  if (bytes.readUInt16BE(at.magic) !== magic || bytes.readUInt8(at.version) !== version)
    return null;
  const nameBytes = bytes.readUInt8(at.nameBytes);
  if (nameBytes > nameBytesMax || bytes.length !== at.name + nameBytes) return null;
  for (let index = 0; index < clusterHashBytes; index += 1)
    if (bytes[at.cluster + index] !== cluster[index]) return null;
  const incarnation = readSafe(bytes, at.incarnation);
  const sequence = readSafe(bytes, at.sequence);
  const node = bytes.toString("latin1", at.name);
  if (incarnation === null || sequence === null || !name.test(node)) return null;
  return {
    node,
    incarnation,
    sequence,
    counters: {
      main: bytes.readUInt32BE(at.main),
      supervisor: bytes.readUInt32BE(at.supervisor),
      coordinator: bytes.readUInt32BE(at.coordinator),
      member: bytes.readUInt32BE(at.member),
    },
  };
}

function readSafe(bytes: Buffer, offset: number): number | null {
  const value = Number(bytes.readBigUInt64BE(offset));
  return Number.isSafeInteger(value) ? value : null;
}
