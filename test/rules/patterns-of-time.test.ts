import { aggregate, debounce, join, session, sliding, throttle, tumbling } from "@halon/rules";
import { A, B, of as by, pattern, timelines } from "./timeline.ts";

const numbers = {
  sum: aggregate.sum((e: { readonly n: number }) => e.n),
  worst: aggregate.max((e: { readonly n: number }) => e.n),
};

/** Steps of one second. */
const mean = pattern(
  sliding(A, { within: "8s", by, aggregate: { mean: aggregate.mean((e) => e.n) } }),
);
const ends = pattern(
  sliding(A, {
    within: "8s",
    by,
    aggregate: {
      least: aggregate.min((e) => e.n),
      most: aggregate.max((e) => e.n),
      last: aggregate.last((e) => e.n),
    },
  }),
);
/** Steps of four seconds. */
const coarse = pattern(sliding(A, { within: "8s", buckets: 2, by, aggregate: {} }));

timelines("sliding", [
  [
    "fires at each event",
    mean,
    "A x 7 =2, A x 7 =4",
    "7 x 0..7 count 1 mean 2, 7 x 0..7 count 2 mean 3",
  ],
  [
    "has the events of the last time",
    mean,
    "A x 0 =2, A x 7 =4",
    "0 x -7..0 count 1 mean 2, 7 x 0..7 count 2 mean 3",
  ],
  [
    "forgets what is older",
    mean,
    "A x 0 =2, A x 8 =4",
    "0 x -7..0 count 1 mean 2, 8 x 1..8 count 1 mean 4",
  ],
  ["is of one key", mean, "A x 7 =2, A y 7 =4", "7 x 0..7 count 1 mean 2, 7 y 0..7 count 1 mean 4"],
  [
    "moves on in steps of its buckets",
    coarse,
    "A x 3.9, A x 4, A x 8",
    "3.9 x -4..3.9 count 1, 4 x 0..4 count 2, 8 x 4..8 count 2",
  ],
  [
    "is empty after a long silence",
    mean,
    "A x 0 =9, A x 500 =1",
    "0 x -7..0 count 1 mean 9, 500 x 493..500 count 1 mean 1",
  ],
  [
    "has the least, the most and the last",
    ends,
    "A x 7 =5, A x 7 =9, A x 7 =7",
    "7 x 0..7 count 1 least 5 most 5 last 5, 7 x 0..7 count 2 least 5 most 9 last 9, 7 x 0..7 count 3 least 5 most 9 last 7",
  ],
  [
    "drops the least with its bucket",
    ends,
    "A x 1 =1, A x 8 =5, A x 9 =6",
    "1 x -6..1 count 1 least 1 most 1 last 1, 8 x 1..8 count 2 least 1 most 5 last 5, 9 x 2..9 count 2 least 5 most 6 last 6",
  ],
  [
    "takes numbers below zero",
    mean,
    "A x 7 =-4, A x 7 =2",
    "7 x 0..7 count 1 mean -4, 7 x 0..7 count 2 mean -1",
  ],
]);

const everyTen = pattern(tumbling(A, { every: "10s", by, aggregate: numbers }));

timelines("tumbling", [
  [
    "fires at the end of its window",
    everyTen,
    "A x 3 =3, A x 7 =7, - 60",
    "10 x 0..10 count 2 sum 10 worst 7",
  ],
  ["does not fire before", everyTen, "A x 3 =3, - 9.999", ""],
  [
    "counts from log time 0, not from its first event",
    everyTen,
    "A x 9 =1, A x 11 =2, - 60",
    "10 x 0..10 count 1 sum 1 worst 1, 20 x 10..20 count 1 sum 2 worst 2",
  ],
  [
    "gives the first moment to the window, and the last to the next",
    everyTen,
    "A x 10 =1, A x 19.999 =2, A x 20 =4, - 60",
    "20 x 10..20 count 2 sum 3 worst 2, 30 x 20..30 count 1 sum 4 worst 4",
  ],
  [
    "says nothing of windows in which nothing happened",
    everyTen,
    "A x 3 =3, A x 33 =4, - 60",
    "10 x 0..10 count 1 sum 3 worst 3, 40 x 30..40 count 1 sum 4 worst 4",
  ],
  [
    "ends all keys at once, by name",
    everyTen,
    "A y 1 =1, A x 2 =2, - 60",
    "10 x 0..10 count 1 sum 2 worst 2, 10 y 0..10 count 1 sum 1 worst 1",
  ],
  [
    "ends before an event of the same moment counts",
    everyTen,
    "A x 5 =5, A x 10 =1, - 15",
    "10 x 0..10 count 1 sum 5 worst 5",
  ],
  [
    "has a worst below zero",
    everyTen,
    "A x 1 =-5, A x 2 =-3, - 60",
    "10 x 0..10 count 2 sum -8 worst -3",
  ],
]);

const burst = pattern(session(A, { gap: "5s", by, aggregate: numbers }));

timelines("session", [
  [
    "fires when the gap has passed",
    burst,
    "A x 0 =3, A x 3 =4, A x 8 =1, - 60",
    "13.001 x 0..8 count 3 sum 8 worst 4",
  ],
  [
    "goes on with an event of the last moment of the gap",
    burst,
    "A x 0 =1, A x 5 =1, - 60",
    "10.001 x 0..5 count 2 sum 2 worst 1",
  ],
  [
    "ends before an event of the moment after",
    burst,
    "A x 0 =1, A x 5.001 =1, - 60",
    "5.001 x 0..0 count 1 sum 1 worst 1, 10.002 x 5.001..5.001 count 1 sum 1 worst 1",
  ],
  [
    "of one event is as long as that",
    burst,
    "A x 2 =7, - 60",
    "7.001 x 2..2 count 1 sum 7 worst 7",
  ],
  [
    "is of one key",
    burst,
    "A x 0 =1, A y 4 =2, - 60",
    "5.001 x 0..0 count 1 sum 1 worst 1, 9.001 y 4..4 count 1 sum 2 worst 2",
  ],
  [
    "goes on for as long as events follow each other",
    burst,
    "A x 0, A x 5, A x 10, A x 15, A x 20, - 60",
    "25.001 x 0..20 count 5 sum 0 worst 0",
  ],
  ["does not fire while it goes on", burst, "A x 0, A x 5, A x 10, - 15", ""],
]);

const sometimes = pattern(throttle(A, { every: "10s", by }));

timelines("throttle", [
  ["lets the first through", sometimes, "A x 3", "3 x 3..3 count 1"],
  ["holds others back", sometimes, "A x 0, A x 1, A x 9.999", "0 x 0..0 count 1"],
  [
    "lets one through that comes as much later",
    sometimes,
    "A x 0, A x 10",
    "0 x 0..0 count 1, 10 x 10..10 count 1",
  ],
  [
    "begins its time with the one it let through",
    sometimes,
    "A x 0, A x 9, A x 12, A x 21, A x 22",
    "0 x 0..0 count 1, 12 x 12..12 count 1, 22 x 22..22 count 1",
  ],
  ["is of one key", sometimes, "A x 0, A y 1, A x 2", "0 x 0..0 count 1, 1 y 1..1 count 1"],
  ["lets one of equal moments through", sometimes, "A x 4, A x 4", "4 x 4..4 count 1"],
  [
    "holds back nothing that its condition does not want",
    pattern(throttle(A, { every: "10s", by, where: (e) => e.n > 5 })),
    "A x 0 =1, A x 1 =9, A x 2 =9",
    "1 x 1..1 count 1",
  ],
]);

const calm = pattern(debounce(A, { quiet: "5s", by }));

timelines("debounce", [
  ["fires when it has been quiet", calm, "A x 0 =3, A x 3 =4, - 60", "8.001 x 0..3 count 2 last 4"],
  ["has the last event", calm, "A x 0 =9, A x 1 =1, - 60", "6.001 x 0..1 count 2 last 1"],
  [
    "is prolonged by an event of the last moment",
    calm,
    "A x 0 =1, A x 5 =2, - 60",
    "10.001 x 0..5 count 2 last 2",
  ],
  [
    "is over with an event of the moment after",
    calm,
    "A x 0 =1, A x 5.001 =2, - 60",
    "5.001 x 0..0 count 1 last 1, 10.002 x 5.001..5.001 count 1 last 2",
  ],
  ["never fires while it does not calm down", calm, "A x 0, A x 4, A x 8, A x 12, - 16", ""],
  [
    "is of one key",
    calm,
    "A x 0 =1, A y 1 =2, - 60",
    "5.001 x 0..0 count 1 last 1, 6.001 y 1..1 count 1 last 2",
  ],
  ["does not hear others", calm, "A x 0 =1, B x 4, - 60", "5.001 x 0..0 count 1 last 1"],
]);

const pairs = pattern(join(A, B, { on: [by, by], within: "10s" }));
const few = pattern(join(A, B, { on: [by, by], within: "10s", keep: 1 }));

timelines("join", [
  ["pairs the left with a later right", pairs, "A x 0 =1, B x 4 =2", "4 x 0..4 1+2"],
  ["pairs the right with a later left", pairs, "B x 0 =2, A x 4 =1", "4 x 0..4 1+2"],
  ["pairs each with each", pairs, "A x 0 =1, A x 1 =2, B x 2 =3", "2 x 0..2 1+3, 2 x 1..2 2+3"],
  [
    "keeps what was paired for more",
    pairs,
    "A x 0 =1, B x 1 =2, B x 2 =3",
    "1 x 0..1 1+2, 2 x 0..2 1+3",
  ],
  ["takes the last moment of the time as within", pairs, "A x 0 =1, B x 10 =2", "10 x 0..10 1+2"],
  ["takes the moment after it as too late", pairs, "A x 0 =1, B x 10.001 =2", ""],
  ["is of one key", pairs, "A x 0 =1, B y 1 =2", ""],
  ["of one side alone is nothing", pairs, "A x 0 =1, A x 1 =2, - 60", ""],
  ["keeps no more of a side than it may", few, "A x 0 =1, A x 1 =2, B x 2 =3", "2 x 1..2 2+3"],
  [
    "drops what is too old and keeps the rest",
    pairs,
    "A x 0 =1, A x 5 =2, B x 12 =3",
    "12 x 5..12 2+3",
  ],
]);

const narrow = pattern(throttle(A, { every: "10s", by, keys: 2 }));
const full = pattern(throttle(A, { every: "10s", by, keys: 2, overflow: "refuse" }));

timelines("the bound of keys", [
  [
    "drops the key that was touched least lately",
    narrow,
    "A x 0, A y 1, A z 2, A x 3",
    "0 x 0..0 count 1, 1 y 1..1 count 1, 2 z 2..2 count 1, 3 x 3..3 count 1",
  ],
  [
    "keeps the keys that were touched later",
    narrow,
    "A x 0, A y 1, A z 2, A y 3",
    "0 x 0..0 count 1, 1 y 1..1 count 1, 2 z 2..2 count 1",
  ],
  [
    "takes no new key where it refuses",
    full,
    "A x 0, A y 1, A z 2, A z 5",
    "0 x 0..0 count 1, 1 y 1..1 count 1",
  ],
  [
    "takes a new key where it refuses when one is over",
    full,
    "A x 0, A y 1, A z 10.001",
    "0 x 0..0 count 1, 1 y 1..1 count 1, 10.001 z 10.001..10.001 count 1",
  ],
]);
