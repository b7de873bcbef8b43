import type { Member, MemberOptions } from "./member.ts";

/**
 * Starts a member: opens its log, finds its agency or makes one with its peers.
 *
 * Resolves when its log is open; it may still be discovering. The caller routes gossip and upgrades to it from then
 * on. Errors: HAL_DATA_DIR_INVALID, HAL_DATA_DIR_VERSION, HAL_STORE_DAMAGED, HAL_STORE_FAILED.
 */
export function startMember(_options: MemberOptions): Promise<Member> {
  throw new Error("not built yet");
}
