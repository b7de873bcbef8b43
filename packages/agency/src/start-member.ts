import { diskFs } from "./disk-fs.ts";
import { checkGiven, knownIdentity, newIdentity, readIdentity, writeIdentity } from "./identity.ts";
import type { Member, MemberOptions } from "./member.ts";
import { RunningMember } from "./running-member.ts";

/**
 * Starts a member: opens its log, finds its agency or makes one with its peers.
 *
 * Resolves when what its disk holds is loaded; it may still be discovering. The caller routes gossip and upgrades
 * to it from then on, and sees to it that no other process uses the directory. Errors: HAL_DATA_DIR_INVALID,
 * HAL_DATA_DIR_VERSION, HAL_STORE_DAMAGED, HAL_STORE_FAILED.
 */
export async function startMember(options: MemberOptions): Promise<Member> {
  const { dataDir, advertise, agencySize, join } = options;
  const { given } = options;
  const found = readIdentity(dataDir);
  if (found !== null && given !== undefined) checkGiven(dataDir, found, given);
  const fresh = newIdentity(advertise, agencySize, join, given?.id);
  const identity = found ?? (given === undefined ? fresh : knownIdentity(fresh, given));
  if (found === null) writeIdentity(dataDir, identity);
  const member = new RunningMember(options, options.fs ?? diskFs, {
    identity,
    startup: found === null ? "origin" : "persistence",
  });
  try {
    await member.start();
  } catch (error) {
    await member.stop();
    throw error;
  }
  return member;
}
