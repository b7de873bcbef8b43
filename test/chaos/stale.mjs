import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connectLink, createSystem, linkPath } from "../../packages/actor/dist/index.js";
import { openJournal } from "../../packages/coordinator/dist/journal/open.js";

const pauseMs = 10_000;
const killsPerSecond = 50;
/** Of killing before the leader is paused, so that it has commands on their way. */
const beforeMs = 4_000;
const attachedMs = 30_000;
const refusalMs = 5_000;
/** Commands that arrive late in one round. */
const lateMax = 200;

/**
 * Pauses leader after leader for 10 s while services are killed 50 times a second. Meanwhile another leads, and a third
 * tracking node is killed and started again: it knows the new epoch, and none of the commands it has begun before. Then all
 * that the paused leader had sent there arrives once more, as from a network that held it back: links that are closed
 * with each change of leaders let nothing of the kind through. Every one of these commands must be refused, and none have
 * an effect.
 *
 * Ends when the time is up, after one round at least. Gives how many arrived late and were refused, and how many a leader
 * sent of its own accord when it went on, and were refused.
 */
export async function pauseWithCommands({ cluster, violate, say, settle, endAt }) {
  const seen = { late: 0, own: 0, rounds: 0 };
  while (performance.now() < endAt || seen.rounds === 0) {
    seen.rounds += 1;
    const before = refusals(cluster).length;
    const leader = await cluster.whenLeads(() => true, pauseMs);
    if (leader === undefined) throw new Error(`no node led in ${pauseMs} ms`);
    const { id, epoch } = (await statusOf(cluster, leader)).cluster;
    const paused = { name: leader, cluster: id, incarnation: await incarnationOf(cluster, leader) };
    const killing = keepKilling(cluster);
    await delay(beforeMs);
    cluster.pause(leader);
    const pausedAt = performance.now();
    const next = await cluster.whenLeads((name) => name !== leader, pauseMs);
    if (next === undefined) violate(`no other node led while ${leader} was paused for 10 s`);
    const kills = await killing.stop();
    const third = cluster.trackingNodes.find((name) => name !== leader && name !== next);
    const late = await commandsOf({ cluster, of: leader, to: third, epoch });
    await restart(cluster, third);
    await arriveLate({ cluster, from: paused, to: third, commands: late });
    const refused = await allRefused({ cluster, node: third, commands: late, violate });
    seen.late += refused;
    await delay(Math.max(0, pausedAt + pauseMs - performance.now()));
    cluster.resume(leader);
    await settle();
    const own = refusals(cluster).length - before - refused;
    seen.own += own;
    say(
      `#${seen.rounds} ${leader} paused in epoch ${epoch}, ${next} led; ${kills} kills; of ${late.length} commands that arrived late at ${third} ${refused} were refused, and ${own} others`,
    );
    await verifyNoEffect({ cluster, commands: late, violate });
  }
  return seen;
}

async function statusOf(cluster, name) {
  const { body } = await cluster.asker(name).get("/v1/status");
  return body;
}

/** Kills processes of services, wherever they run, one after the other. */
function keepKilling(cluster) {
  let isStopping = false;
  let kills = 0;
  const loop = async () => {
    while (!isStopping) {
      for (const { pid, group } of cluster.processes()) {
        if (isStopping) return;
        if (pid !== group) continue;
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

/**
 * What the leader had sent to the node under its epoch, as its journal has it. Only what was answered under that epoch
 * too: the next leader sends the rest itself, and then it is no stale command.
 */
async function commandsOf({ cluster, of, to, epoch }) {
  // A copy: the node itself has the journal open, although it is paused.
  const dir = join(cluster.directory, `journal-${of}-${epoch}`);
  cpSync(join(cluster.directory, of, "journal"), dir, { recursive: true });
  const journal = await openJournal({ dir, maxBytes: 2 ** 40, maxAgeMs: 2 ** 40, now: Date.now });
  const sent = new Map();
  const answered = new Set();
  for (let from = journal.firstIndex; from <= journal.lastIndex; ) {
    const page = await journal.read({ from, limit: 500 });
    for (const { data } of page) {
      const record = JSON.parse(new TextDecoder().decode(data));
      for (const { settles, firings } of record.decisions) {
        if (settles !== null) answered.add(settles);
        for (const command of firings.flatMap(({ commands }) => commands))
          if (command.node === to && command.epoch === epoch) sent.set(command.id, command);
      }
    }
    from += page.length;
  }
  await journal.close();
  return [...sent.values()].filter(({ id }) => answered.has(id)).slice(-lateMax);
}

/** Kills the node, starts it again, and waits until the leader of a later epoch has taken it in. */
async function restart(cluster, name) {
  const before = await incarnationOf(cluster, name);
  await cluster.kill(name);
  cluster.spawn(name);
  const deadline = performance.now() + attachedMs;
  while (performance.now() < deadline) {
    const leader = await cluster.leader();
    if (leader !== undefined && (await incarnationOf(cluster, leader, name)) > before) return;
    await delay(50);
  }
  throw new Error(`${name} was not taken in by a leader in ${attachedMs} ms`);
}

async function incarnationOf(cluster, asked, name = asked) {
  const { body } = await cluster.asker(asked).get(`/v1/graph?resource=Node/${name}`);
  return body.attributes?.incarnation ?? 0;
}

/** Sends the commands over a link of the paused node's name, as its tracker sends them. */
async function arriveLate({ cluster, from, to, commands }) {
  const { name, incarnation } = from;
  const link = await connectLink({
    url: `ws://127.0.0.1:${cluster.ports[to]}${linkPath}`,
    hello: {
      protocol: 1,
      cluster: from.cluster,
      node: name,
      incarnation,
      class: "control",
      address: `127.0.0.1:${cluster.ports[name]}`,
    },
  });
  const system = createSystem({ node: name, incarnation });
  system.attach(link);
  for (const command of commands)
    system.send({ name: "agent", node: to }, { type: "commands", commands: [command] });
  await allSeen(cluster, to, commands);
  await system.close();
}

/** Waits until the node has said something of each of the commands, for a while. */
async function allSeen(cluster, node, commands) {
  const deadline = performance.now() + refusalMs;
  while (performance.now() < deadline) {
    if (refusedIds(cluster, node, commands).size === commands.length) return;
    await delay(50);
  }
}

async function allRefused({ cluster, node, commands, violate }) {
  const refused = refusedIds(cluster, node, commands);
  const others = commands.filter(({ id }) => !refused.has(id));
  if (others.length > 0)
    violate(
      `${node} did not refuse ${others.length} commands of a deposed coordinator: ${others.map(({ id, action }) => `${id} ${action.type} ${action.instance}`).join(", ")}`,
    );
  return refused.size;
}

function refusedIds(cluster, node, commands) {
  const ids = new Set(commands.map(({ id }) => id));
  const own = refusals(cluster).filter((each) => each.node === node && ids.has(each.command));
  return new Set(own.map(({ command }) => command));
}

/** From the nodes' own logs: node, command and reason. */
function refusals(cluster) {
  return cluster.nodeNames.flatMap((node) =>
    readFileSync(join(cluster.directory, `${node}.log`), "utf8")
      .split("\n")
      .filter((line) => line.includes("refused a command") && line.includes("HAL_COMMAND_STALE"))
      .map((line) => ({ ...JSON.parse(line), node }))
      .filter(({ reason }) => /^the command is of epoch \d+/.test(reason)),
  );
}

/** Each was answered once before it came late; a second answer would tell that it was carried out again. */
async function verifyNoEffect({ cluster, commands, violate }) {
  const ids = new Set(commands.map(({ id }) => id));
  const answers = new Map();
  for (let after = "0"; ; ) {
    const { body } = await cluster.anyNode.get(`/v1/events?after=${after}&limit=1000`);
    if (body.length === 0) break;
    for (const { data } of body)
      if (ids.has(data?.command)) answers.set(data.command, (answers.get(data.command) ?? 0) + 1);
    after = `${body.at(-1).index}.${body.at(-1).position}`;
  }
  for (const [id, count] of answers)
    if (count !== 1) violate(`command ${id} was answered ${count} times: it was carried out again`);
}
