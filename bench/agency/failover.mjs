// From the death of the leader to the first write that succeeds through another member.
import { kill, pause, until } from "./processes.mjs";
import { heading, quantile, row, verdict } from "./table.mjs";

const everyMs = 10;
const timeoutMs = 5_000;
/** Both need a while until a new follower is in step. */
const settleMs = 1_500;

/** Milliseconds of each kill. */
export async function measureFailover(cluster, kills) {
  const times = [];
  for (let n = 0; n < kills; n++) {
    const leader = await cluster.leader();
    const others = cluster.members.filter((member) => member !== leader);
    await until("write", async () => (await cluster.put(leader, timeoutMs)) || undefined);
    const gone = kill(leader.child);
    const from = performance.now();
    await firstWrite(cluster, others);
    times.push(performance.now() - from);
    await gone;
    cluster.restart(leader);
    await until("write", async () => (await cluster.put(leader, timeoutMs)) || undefined);
    await pause(settleMs);
  }
  return times;
}

/** Begins a write every few ms without waiting for those before, as etcd may keep one that is lost. */
function firstWrite(cluster, members) {
  return new Promise((resolve, reject) => {
    const attempt = () => {
      for (const member of members)
        cluster.put(member, timeoutMs).then(
          (written) => written && done(resolve),
          () => undefined,
        );
    };
    const timer = setInterval(attempt, everyMs);
    const deadline = setTimeout(() => done(() => reject(new Error("no leader in 60 s"))), 60_000);
    const done = (end) => {
      clearInterval(timer);
      clearTimeout(deadline);
      end();
    };
    attempt();
  });
}

export function printFailover(results) {
  heading("leader killed to first write, ms", ["kills", "p50", "p99", "max"]);
  for (const [name, times] of Object.entries(results)) {
    const figures = [0.5, 0.99, 1].map((share) => quantile(times, share).toFixed(0));
    row(name, [times.length, ...figures]);
  }
  if (results.halon !== undefined)
    verdict("failover p99, s", quantile(results.halon, 0.99) / 1_000, "<=", 1);
}
