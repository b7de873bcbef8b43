/** Measures how fast contestants take events. */

const roundCount = 3;
const roundMs = 500;
/** Events between two looks at the clock. */
const batch = 1_000;

/** Seconds of processor time that this process has used; a busy neighbour does not count. */
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Events per second of processor time, and per second by the wall clock. */
async function rateOnce(contestant, events) {
  const cpu = cpuSeconds();
  const begin = performance.now();
  let count = 0;
  while (performance.now() < begin + roundMs) {
    // A slow contestant looks at the clock more often.
    const size = contestant.batch ?? batch;
    for (let i = 0; i < size; i += 1) {
      const taken = contestant.take(events[(count + i) % events.length]);
      if (taken !== undefined) await taken;
    }
    count += size;
  }
  const wall = (performance.now() - begin) / 1_000;
  return { cpu: count / (cpuSeconds() - cpu), wall: count / wall, count };
}

/**
 * Runs all contestants in turn, several times, and prints the median of each, and how often the first is faster.
 *
 * Each has `name`, `take(event)`, which may give a promise, and `fired`: how many of its rules did.
 */
export async function compare(contestants, { events }) {
  const rounds = contestants.map(() => []);
  const firedOf = contestants.map(() => 0);
  for (const contestant of contestants) await rateOnce(contestant, events);
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
