import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const pauseMs = 10_000;
const killsPerSecond = 50;
/** Of killing before the leader is paused, so that commands are on their way at any moment. */
const beforeMs = 1_000;
const refusalMs = 3_000;

/**
 * Pauses leader after leader for 10 s while services are killed 50 times a second, so that each goes on with commands of
 * an epoch that is over; until the time is up, and at least until one of them was refused.
 *
 * Gives the refusals: what the nodes themselves say of commands under an epoch below one that they know.
 */
export async function pauseWithCommands({ cluster, violate, say, settle, endAt }) {
  let refused = [];
  for (let round = 1; performance.now() < endAt || round === 1; round++) {
    const leader = await cluster.whenLeads(() => true, pauseMs);
    if (leader === undefined) throw new Error(`no node led in ${pauseMs} ms`);
    const killing = keepKilling(cluster);
    await delay(beforeMs);
    cluster.pause(leader);
    const pausedAt = performance.now();
    const next = await cluster.whenLeads((name) => name !== leader, pauseMs);
    if (next === undefined) violate(`no other node led while ${leader} was paused for 10 s`);
    await delay(Math.max(0, pausedAt + pauseMs - performance.now()));
    cluster.resume(leader);
    await delay(refusalMs);
    const kills = await killing.stop();
    await settle();
    refused = refusals(cluster);
    say(
      `#${round} ${leader} paused for ${pauseMs} ms, ${next} led; ${kills} kills, ${refused.length} stale commands refused so far`,
    );
  }
  return refused;
}

/** Kills processes of services, wherever they run, one after the other. */
function keepKilling(cluster) {
  let isStopping = false;
  let kills = 0;
  const loop = async () => {
    while (!isStopping) {
      const targets = cluster.processes().filter(({ pid, group }) => pid === group);
      for (const { pid } of targets) {
        if (isStopping) return;
        try {
          process.kill(-pid, "SIGKILL");
          kills += 1;
        } catch {
          // It has ended meanwhile.
        }
        await delay(1_000 / killsPerSecond);
      }
      await delay(1_000 / killsPerSecond);
    }
  };
  const done = loop();
  return {
    async stop() {
      isStopping = true;
      await done;
      return kills;
    },
  };
}

/** From the nodes' own logs: command, node and reason. */
function refusals(cluster) {
  return cluster.nodeNames.flatMap((node) =>
    readFileSync(join(cluster.directory, `${node}.log`), "utf8")
      .split("\n")
      .filter((line) => line.includes("refused a command") && line.includes("HAL_COMMAND_STALE"))
      .map((line) => ({ node, ...JSON.parse(line) }))
      .filter(({ reason }) => /^the command is of epoch \d+/.test(reason)),
  );
}
