import { type Invariant, violated } from "./invariant.ts";

/** I14, I18: nothing is sent by a member whose disk is damaged, or by an incarnation that has ended. */
export function silentWhenGone(): Invariant {
  return {
    id: "I18",
    name: "the gone are silent",
    beforeSend(_world, member, incarnation, message) {
      if (member.disk.isDamaged && member.incarnation !== incarnation)
        violated("I14", `${member.id} sends ${message.type} from a damaged log`);
      if (member.incarnation !== incarnation || member.process === null)
        violated("I18", `${member.id} sends ${message.type} after its end`);
    },
    onStart(_world, member) {
      if (member.disk.isDamaged) violated("I14", `${member.id} starts from a damaged log`);
    },
  };
}
