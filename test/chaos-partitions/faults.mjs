import { setTimeout as delay } from "node:timers/promises";

/** Faults, with how often each is drawn. `cut` and the like are silent: packets go nowhere. */
const kinds = [
  ["isolate the holder", 5],
  ["isolate the leader", 2],
  ["isolate any node", 1],
  ["split with the holder in the minority", 3],
  ["nobody hears the holder", 2],
  ["the holder hears nobody", 2],
  ["the holder and the leader do not hear each other", 2],
  ["kill the holder's halond", 3],
  ["stop the holder's halond", 3],
  ["stop the leader's halond", 1],
];

/** Rounds without an end; a seed fixes kinds, targets and times. Most outlast the lease of 2 s. */
export function* schedule(random) {
  for (;;) {
    const kind = random.weighted(kinds);
    const isLong = random.between(1, 100) <= 75;
    const forMs = isLong ? random.between(4_000, 6_500) : random.between(100, 1_800);
    yield { kind, forMs, choice: random.between(0, 1_000) };
  }
}

/** Carries a round out, and undoes it after its time. `holder` and `leader` are nodes. */
export async function carryOut(round, { nodes, network, holder, leader, onBegun }) {
  const { kind, forMs, choice } = round;
  const others = (at) => nodes.all.filter((other) => other !== at);
  const cuts = [];
  const cut = (from, to) => {
    network.cut(from, to);
    cuts.push([from, to]);
  };
  const isolate = (at) => {
    for (const other of others(at)) {
      cut(at, other);
      cut(other, at);
    }
  };
  let undo = async () => undefined;
  switch (kind) {
    case "isolate the holder":
      isolate(holder);
      break;
    case "isolate the leader":
      isolate(leader);
      break;
    case "isolate any node":
      isolate(nodes.all[choice % nodes.all.length]);
      break;
    case "split with the holder in the minority": {
      const rest = others(holder);
      const minority = new Set([holder]);
      if (nodes.all.length > 3) minority.add(rest[choice % rest.length]);
      for (const from of nodes.all)
        for (const to of nodes.all)
          if (from !== to && minority.has(from) !== minority.has(to)) cut(from, to);
      break;
    }
    case "nobody hears the holder":
      for (const other of others(holder)) cut(holder, other);
      break;
    case "the holder hears nobody":
      for (const other of others(holder)) cut(other, holder);
      break;
    case "the holder and the leader do not hear each other":
      if (holder === leader) isolate(holder);
      else {
        cut(holder, leader);
        cut(leader, holder);
      }
      break;
    case "kill the holder's halond":
      await nodes.kill(holder);
      undo = async () => nodes.start(holder);
      break;
    case "stop the holder's halond":
      await nodes.pause(holder);
      undo = async () => nodes.resume(holder);
      break;
    case "stop the leader's halond":
      await nodes.pause(leader);
      undo = async () => nodes.resume(leader);
      break;
  }
  onBegun();
  await delay(forMs);
  for (const [from, to] of cuts) network.heal(from, to);
  await undo();
}
