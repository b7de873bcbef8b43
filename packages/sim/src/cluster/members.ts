import type { Wish } from "../scenario.ts";
import type { World } from "../world.ts";

type ChangeMembers = Extract<Wish, { readonly type: "changeMembers" }>;

/** Operators who change the members of the agency, with `halonctl agency member`: one thing after another. */
export class MemberDesk {
  /** Somebody wants a change. */
  wish(_world: World, _wish: ChangeMembers): void {
    throw new Error("not yet");
  }

  /** They look at the list of members, and ask for what comes next. */
  look(_world: World): void {
    throw new Error("not yet");
  }
}
