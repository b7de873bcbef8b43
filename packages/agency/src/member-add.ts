import { setTimeout as wait } from "node:timers/promises";
import type { Gossip } from "./core/gossip.ts";
import type { AgencyAnswer, AgencyRequest } from "./core/request.ts";
import { callForId, callGossip } from "./peer-call.ts";

/** What adding a member needs of the leader. */
export interface MemberAddPort {
  request(request: AgencyRequest): Promise<AgencyAnswer>;
  gossip(): Gossip;
}

const promoteEveryMs = 250;
const promoteForMs = 30_000;

/** Takes the process at an address in: as a learner, then, when it has caught up, as a voter. */
export async function addMember(
  port: MemberAddPort,
  address: string,
  options: { readonly learner: boolean },
): Promise<{ readonly id: string | null; readonly answer: AgencyAnswer }> {
  let id: string;
  try {
    id = await callForId(address);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id: null, answer: { type: "refused", reason: "unknownMember", message } };
  }
  const add = [{ id, address, voter: false }];
  const added = await port.request({ type: "changeMembers", change: { add } });
  const isKnown = added.type === "refused" && added.reason === "nothingToDo";
  if (added.type !== "done" && !isKnown) return { id, answer: added };
  // It finds out by itself too, only later.
  await callGossip(address, port.gossip()).catch(() => undefined);
  if (options.learner) return { id, answer: added };
  return { id, answer: await promote(port, id) };
}

async function promote(port: MemberAddPort, id: string): Promise<AgencyAnswer> {
  const until = performance.now() + promoteForMs;
  for (;;) {
    const answer = await port.request({ type: "changeMembers", change: { promote: [id] } });
    const isEarly =
      answer.type === "refused" &&
      (answer.reason === "behind" || answer.reason === "changePending");
    if (!isEarly) return answer;
    if (performance.now() > until) {
      const message = `${id} is a learner, and has not caught up in ${promoteForMs / 1_000} s. Later: halonctl agency member promote ${id}`;
      return { ...answer, message };
    }
    await wait(promoteEveryMs);
  }
}
