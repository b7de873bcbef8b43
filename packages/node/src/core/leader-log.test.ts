import { expect, test } from "vitest";
import { type FollowEffect, LogFollower } from "./leader-log.ts";

const delta = (index: number) => ({ index, epoch: 1, revision: index, changes: [] });

/** A replica that takes what follows it, and what the follower made it do. */
function following(ownIndex: number) {
  const follower = new LogFollower();
  const state = { index: ownIndex, fetches: 0 };
  const run = (effects: readonly FollowEffect[]): void => {
    for (const effect of effects) {
      if (effect.type === "fetch") state.fetches += 1;
      else if (effect.type === "apply" && effect.delta.index > state.index + 1)
        run(follower.missed(effect.delta, true));
      else if (effect.type === "apply") state.index = Math.max(state.index, effect.delta.index);
    }
  };
  const fetched = (index: number): void => {
    state.index = index;
    run(follower.fetched());
  };
  return { follower, state, run, fetched };
}

test("deltas that come while the graph is fetched are applied after it", () => {
  const { follower, state, run, fetched } = following(0);
  run(follower.attached(4, 0, true));
  for (const index of [5, 6, 7]) run(follower.delta(delta(index)));
  expect(state).toEqual({ index: 0, fetches: 1 });
  fetched(6);
  expect(state).toEqual({ index: 7, fetches: 1 });
});

test("a gap among those that waited has the graph fetched again, and what came behind it is kept", () => {
  const { follower, state, run, fetched } = following(0);
  run(follower.attached(4, 0, true));
  for (const index of [5, 7, 8]) run(follower.delta(delta(index)));
  fetched(4);
  expect(state).toEqual({ index: 5, fetches: 2 });
  fetched(7);
  expect(state).toEqual({ index: 8, fetches: 2 });
});

test("however many wait, those that came last are kept: what was left out is fetched", () => {
  const { follower, state, run, fetched } = following(0);
  run(follower.attached(1, 0, true));
  for (let index = 2; index <= 15_000; index++) run(follower.delta(delta(index)));
  fetched(1);
  expect(state).toEqual({ index: 1, fetches: 2 });
  fetched(5_001);
  expect(state).toEqual({ index: 15_000, fetches: 2 });
});

test("a graph that could not be fetched is tried again while there is a link, and else with the next leader", () => {
  const { follower } = following(0);
  expect(follower.attached(4, 0, true)).toEqual([{ type: "fetch" }]);
  expect(follower.notFetched()).toMatchObject([{ type: "arm" }]);
  expect(follower.due(false)).toEqual([]);
  expect(follower.attached(4, 4, true)).toEqual([]);
  expect(follower.attached(5, 4, true)).toEqual([{ type: "fetch" }]);
});
