import { absence, all, count, sequence } from "@halon/rules";
import { A, B, of as by, C, pattern, timelines } from "./timeline.ts";

const thrice = pattern(count(A, { atLeast: 3, within: "10s", by }));
const big = pattern(count(A, { atLeast: 2, within: "10s", by, where: (e) => e.n > 5 }));

timelines("count", [
  ["fires with the event that makes so many", thrice, "A x 0, A x 1, A x 2", "2 x 0..2 count 3"],
  ["does not fire before", thrice, "A x 0, A x 1, - 60", ""],
  [
    "takes the last moment of the time as within",
    thrice,
    "A x 0, A x 5, A x 10",
    "10 x 0..10 count 3",
  ],
  ["takes the moment after it as too late", thrice, "A x 0, A x 5, A x 10.001", ""],
  [
    "goes on with those that are still within",
    thrice,
    "A x 0, A x 5, A x 11, A x 12",
    "12 x 5..12 count 3",
  ],
  [
    "begins anew after it has fired",
    thrice,
    "A x 0, A x 1, A x 2, A x 3, A x 4",
    "2 x 0..2 count 3",
  ],
  [
    "fires again with as many more",
    thrice,
    "A x 0, A x 1, A x 2, A x 3, A x 4, A x 5",
    "2 x 0..2 count 3, 5 x 3..5 count 3",
  ],
  ["counts each key for itself", thrice, "A x 0, A y 0, A x 1, A y 1, A x 2", "2 x 0..2 count 3"],
  ["counts equal moments", thrice, "A x 4, A x 4, A x 4", "4 x 4..4 count 3"],
  [
    "of one fires at each event",
    pattern(count(A, { atLeast: 1, within: "1s", by })),
    "A x 0, A x 0, A y 5",
    "0 x 0..0 count 1, 0 x 0..0 count 1, 5 y 5..5 count 1",
  ],
  [
    "without a key counts all together",
    pattern(count(A, { atLeast: 2, within: "9s" })),
    "A x 0, A y 3",
    "3 * 0..3 count 2",
  ],
  ["counts only what its condition wants", big, "A x 0 =9, A x 1 =3, A x 2 =7", "2 x 0..2 count 2"],
  ["hears no other type", thrice, "A x 0, B x 1, C x 2, A x 3", ""],
  [
    "is not held up by a long silence before",
    thrice,
    "- 500, A x 501, A x 502, A x 503",
    "503 x 501..503 count 3",
  ],
]);

const ordered = pattern(sequence([A, B], { within: "10s", by }));
const three = pattern(sequence([A, B, C], { within: "10s", by }));
const twice = pattern(sequence([A, A], { within: "10s", by }));
const around = pattern(sequence([A, B, A], { within: "10s", by }));

timelines("sequence", [
  ["fires with the last of them", ordered, "A x 0, B x 4", "4 x 0..4"],
  ["does not fire in another order", ordered, "B x 0, A x 1", ""],
  ["takes the latest start", ordered, "A x 0, A x 3, B x 4", "4 x 3..4"],
  ["lets others come between", three, "A x 0, C x 1, B x 2, A y 3, C x 4", "4 x 0..4"],
  ["takes the last moment of the time as within", ordered, "A x 0, B x 10", "10 x 0..10"],
  ["takes the moment after it as too late", ordered, "A x 0, B x 10.001", ""],
  ["is of one key", ordered, "A x 0, B y 1, B x 2", "2 x 0..2"],
  ["begins anew after it has fired", ordered, "A x 0, B x 1, B x 2", "1 x 0..1"],
  ["of one type needs two events", twice, "A x 0, A x 3", "3 x 0..3"],
  [
    "of one type begins the next with its last event",
    twice,
    "A x 0, A x 3, A x 5",
    "3 x 0..3, 5 x 3..5",
  ],
  [
    "ends and begins with the same event",
    around,
    "A x 0, B x 1, A x 2, B x 3, A x 4",
    "2 x 0..2, 4 x 2..4",
  ],
  [
    "of three is as long as from its first to its last",
    three,
    "A x 0, B x 6, C x 10",
    "10 x 0..10",
  ],
  [
    "of three goes on with a younger start when the first is too old",
    three,
    "A x 0, A x 5, B x 8, C x 12",
    "12 x 5..12",
  ],
  [
    "of three does not mix a young start with an old middle",
    three,
    "A x 0, B x 2, A x 8, C x 12",
    "",
  ],
  [
    "takes equal moments in the order in which they are decided",
    ordered,
    "A x 2, B x 2",
    "2 x 2..2",
  ],
  ["nothing is left of it when its time is over", ordered, "A x 0, - 30, B x 31", ""],
]);

const missing = pattern(absence(B, { after: A, within: "10s", by }));

timelines("absence", [
  ["fires when the time has passed", missing, "A x 0, - 60", "10.001 x 0..10"],
  ["does not fire before the time has passed", missing, "A x 0, - 10", ""],
  ["does not fire when the event has come", missing, "A x 0, B x 4, - 60", ""],
  ["takes an event of the last moment as in time", missing, "A x 0, B x 10, - 60", ""],
  [
    "takes an event of the moment after as too late",
    missing,
    "A x 0, B x 10.001, - 60",
    "10.001 x 0..10",
  ],
  ["is not prolonged by another first event", missing, "A x 0, A x 5, - 60", "10.001 x 0..10"],
  [
    "waits anew for a first event after it has fired",
    missing,
    "A x 0, A x 20, - 60",
    "10.001 x 0..10, 30.001 x 20..30",
  ],
  ["waits anew after the event has come", missing, "A x 0, B x 1, A x 2, - 60", "12.001 x 2..12"],
  ["does not fire without a first event", missing, "B x 0, - 60", ""],
  ["is of one key", missing, "A x 0, A y 1, B x 2, - 60", "11.001 y 1..11"],
  [
    "ends for each key for itself, in order of time",
    missing,
    "A y 0, A x 1, - 60",
    "10.001 y 0..10, 11.001 x 1..11",
  ],
  [
    "that ends for two keys at once takes them by name",
    missing,
    "A y 0, A x 0, - 60",
    "10.001 x 0..10, 10.001 y 0..10",
  ],
  ["is not met by an event before the first", missing, "B x 0, A x 1, - 60", "11.001 x 1..11"],
  [
    "of one type is the time between two of them",
    pattern(absence(A, { after: A, within: "10s", by })),
    "A x 0, A x 8, A x 16, - 60",
    "26.001 x 16..26",
  ],
]);

const both = pattern(all([A, B], { within: "10s", by }));
const allThree = pattern(all([A, B, C], { within: "10s", by }));

timelines("all", [
  ["fires in one order", both, "A x 0, B x 4", "4 x 0..4"],
  ["fires in the other order", both, "B x 0, A x 4", "4 x 0..4"],
  ["does not fire with some of them", allThree, "A x 0, B x 4, - 60", ""],
  ["takes the last of each type", both, "A x 0, A x 3, B x 4", "4 x 3..4"],
  ["takes the last moment of the time as within", both, "A x 0, B x 10", "10 x 0..10"],
  ["takes the moment after it as too late", both, "A x 0, B x 10.001", ""],
  ["is of one key", both, "A x 0, B y 1", ""],
  ["begins anew after it has fired", both, "A x 0, B x 1, A x 2", "1 x 0..1"],
  ["fires again with one more of each", both, "A x 0, B x 1, A x 2, B x 3", "1 x 0..1, 3 x 2..3"],
  ["of three takes any order", allThree, "C x 0, A x 1, B x 9", "9 x 0..9"],
  [
    "of three renews what has become too old",
    allThree,
    "C x 0, A x 5, B x 11, C x 12",
    "12 x 5..12",
  ],
]);
