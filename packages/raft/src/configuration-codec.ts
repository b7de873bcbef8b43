import { canonicalJson } from "@halon/protocol";
import { assert } from "./assert.ts";
import type { Configuration, Member, MemberId } from "./configuration.ts";

/** Whether `text` can be an id or an address: 1 to 255 printable ASCII characters without a space. */
export function isMemberText(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return text.length >= 1 && text.length <= 255;
}

/** Canonical JSON in ASCII. Throws on an id or an address for which `isMemberText` does not hold. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  for (const { id, address } of configuration.members) {
    assert(isMemberText(id) && isMemberText(address), `a member ${id} at ${address}`);
  }
  const text = canonicalJson(configuration);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The configuration in these bytes; null when they are not exactly what `encodeConfiguration` gives. */
export function decodeConfiguration(bytes: Uint8Array): Configuration | null {
  if (bytes.length > 16_384) return null;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  const value = parse(text);
  if (!isConfiguration(value)) return null;
  // One encoding a configuration: equal ones are equal bytes, and nothing is hidden in them.
  return canonicalJson(value) === text ? value : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isConfiguration(value: unknown): value is Configuration {
  if (!isRecord(value, ["members", "voters", "outgoing", "learners"])) return false;
  const { members, voters, outgoing, learners } = value;
  if (!isIdList(voters) || !isIdList(outgoing) || !isIdList(learners)) return false;
  if (!Array.isArray(members) || !members.every(isMemberRecord)) return false;
  const ids = members.map((member) => member.id);
  if (!isIdList(ids)) return false;
  const named = new Set([...voters, ...outgoing, ...learners]);
  const countsOnce = learners.every((id) => !voters.includes(id) && !outgoing.includes(id));
  return named.size === ids.length && ids.every((id) => named.has(id)) && countsOnce;
}

function isMemberRecord(value: unknown): value is Member {
  if (!isRecord(value, ["id", "address"])) return false;
  const { id, address } = value;
  return typeof id === "string" && typeof address === "string" && isMemberText(address);
}

/** Whether it is an object with these members and no others. */
function isRecord(value: unknown, names: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return (
    Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name))
  );
}

/** Ids in rising order, each once. */
function isIdList(value: unknown): value is readonly MemberId[] {
  if (!Array.isArray(value)) return false;
  let before = "";
  for (const id of value) {
    if (typeof id !== "string" || !isMemberText(id) || id <= before) return false;
    before = id;
  }
  return true;
}
