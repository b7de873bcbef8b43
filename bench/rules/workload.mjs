/** What all contestants get: the same events, and rules that say the same. */

/** As many as there are pairs of a type and a node, so that windows are found as seldom in a cache as those of real keys. */
const eventCount = 100_000;
const nodes = Array.from({ length: 1_000 }, (_, i) => `node-${i}`);
/** An event is one of so many shards; a rule is for one of them. */
export const shardCount = 10;
/** The level from which on a rule for an event's shard fires: one event in a hundred. */
export const levelMin = 99;
/** Windows count to so many within so long. At 1 event a ms, over all types, that takes few of them. */
export const atLeast = 3;
export const withinMs = 30_000;

/** Small steps of a fixed sequence, so that each run has the same events. */
function makeRandom() {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

function makeEvents(types) {
  const random = makeRandom();
  return Array.from({ length: eventCount }, (_, i) => ({
    id: `e${i}`,
    type: `Reading${random(types)}`,
    version: 1,
    source: "client/bench",
    data: { node: nodes[random(nodes.length)], shard: random(shardCount), level: random(100) },
  }));
}

function singles(types) {
  return Array.from({ length: types * shardCount }, (_, i) => ({
    kind: "single",
    type: `Reading${Math.floor(i / shardCount)}`,
    shard: i % shardCount,
  }));
}

/** Of ten rules on a type five are on single events and five are on windows; an event goes into two windows. */
function mixed(types) {
  return singles(types).map((rule) => {
    if (rule.shard % 2 === 0) return rule;
    const quarter = (rule.shard - 1) / 2;
    return { ...rule, kind: "window", quarter: quarter < 4 ? quarter : null };
  });
}

export const workloads = [
  {
    name: "keyed",
    title: `1,000 rules, 10 on each of 100 types of event, each with a condition on two fields`,
    types: 100,
    rules: singles(100),
    events: makeEvents(100),
  },
  {
    name: "one type",
    title: `1,000 rules, all on one type of event: each event is put to 1,000 conditions`,
    types: 1,
    rules: Array.from({ length: 1_000 }, (_, shard) => ({
      kind: "single",
      type: "Reading0",
      shard,
    })),
    events: makeEvents(1),
  },
  {
    name: "windows",
    title: `1,000 rules, 10 on each of 100 types: 5 as above, 5 that count to ${atLeast} in ${withinMs / 1_000} s by node; each event counts in two`,
    types: 100,
    rules: mixed(100),
    events: makeEvents(100),
  },
  {
    name: "ten",
    title: `10 rules, all on one type of event: each event is put to 10 conditions`,
    types: 1,
    rules: singles(1),
    events: makeEvents(1),
  },
];
