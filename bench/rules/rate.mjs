/** Measures how fast contestants take events. */

const roundCount = 3;
/** Of processor time: how much of that a busy machine gives in a second says nothing. */
const roundSeconds = 0.3;
/** Two rounds that do not count: one to compile, one to fill what is kept. */
const warmUps = 2;
/** Events between two looks at the clock. */
const batch = 1_000;

/** Seconds of processor time that this process has used; a busy neighbour does not count. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Events per second of processor time, and per second by the wall clock. It goes on where the last round ended. */
async function rateOnce(contestant, events) {
  const cpu = cpuSeconds();
  const begin = performance.now();
  const first = contestant.count ?? 0;
  let count = first;
  while (cpuSeconds() < cpu + roundSeconds) {
    // A slow contestant looks at the clock more often.
    const next = count + (contestant.batch ?? batch);
    for (; count < next; count += 1) {
      const taken = contestant.take(events[count % events.length]);
      if (taken !== undefined) await taken;
    }
  }
  contestant.count = count;
  const taken = count - first;
  const wall = (performance.now() - begin) / 1_000;
  return { cpu: taken / (cpuSeconds() - cpu), wall: taken / wall, count: taken };
}

/**
 * Runs all contestants in turn, several times, and prints the median of each, and how often the first is faster.
 *
 * Each has `name`, `take(event)`, which may give a promise, and `fired`: how many of its rules did. `count` is left in it.
 */
export async function compare(contestants, { events }) {
  const rounds = contestants.map(() => []);
  const firedOf = contestants.map(() => 0);
  for (const contestant of contestants)
    for (let round = 0; round < warmUps; round += 1) await rateOnce(contestant, events);
  for (let round = 0; round < roundCount; round += 1) {
    for (const [i, contestant] of contestants.entries()) {
      const fired = contestant.fired;
      const rate = await rateOnce(contestant, events);
      rounds[i].push(rate);
      firedOf[i] = (contestant.fired - fired) / rate.count;
    }
  }
  const medians = rounds.map((all) => all.sort((a, b) => a.cpu - b.cpu)[roundCount >> 1]);
  for (const [i, { name }] of contestants.entries()) {
    const { cpu, wall } = medians[i];
    const ratio = i === 0 ? "" : `${(medians[0].cpu / cpu).toPrecision(3)} ×`;
    const fired = `${(firedOf[i] * 100).toFixed(2)} % fire`;
    console.log(
      `  ${name.padEnd(38)} ${round(cpu).padStart(10)}/s (${round(wall)}/s) ${fired.padStart(14)} ${ratio.padStart(10)}`,
    );
  }
}

function round(rate) {
  return Math.round(rate).toLocaleString("en");
}
