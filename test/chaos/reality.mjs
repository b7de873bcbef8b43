import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";

const answerMs = 500;

/** Every process of this run's services that is not dead: what the kernel says, not what Halon says. */
export function listProcesses(runDirectory) {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const variables = new Map(
        readFileSync(`/proc/${name}/environ`, "utf8")
          .split("\0")
          .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
      );
      if (!variables.get("HALON_HOME")?.startsWith(`${runDirectory}/`)) return [];
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") return [];
      return [
        {
          pid: Number(name),
          group: Number(group),
          instance: variables.get("HALON_INSTANCE") ?? "",
          service: variables.get("HALON_SERVICE") ?? "",
          node: variables.get("HALON_NODE") ?? "",
        },
      ];
    } catch {
      // It has gone while it was looked at, or is another user's.
      return [];
    }
  });
}

/** The service names that are held, as `<node>-<service>` with the instance that answers there. */
export async function listHolders(run) {
  const prefix = `@halon-chaos-${run}-`;
  const names = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .flatMap((line) => {
      const path = line.split(" ").at(-1) ?? "";
      // Node fills a name with zeros to the full length of an address, and the kernel shows these as @.
      return path.startsWith(prefix) ? [path.slice(prefix.length).replace(/@+$/, "")] : [];
    });
  const holders = new Map();
  // Connections to a bound socket bear its name too, so each name counts once.
  for (const name of new Set(names)) holders.set(name, await tell(run, name));
  return holders;
}

/** Connects to the holder of a name, tells it something, and gives the instance that it says it is. */
export function tell(run, name, order) {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(`\0halon-chaos-${run}-${name}`);
    const end = () => {
      clearTimeout(late);
      socket.destroy();
      resolve(said.trim());
    };
    const late = setTimeout(end, answerMs);
    socket.on("error", end);
    socket.on("close", end);
    socket.on("data", (data) => {
      said += data;
      if (!said.includes("\n")) return;
      if (order === undefined) end();
      else socket.end(`${order}\n`);
    });
  });
}

/** Where the graph and what really runs differ; empty when all is as wanted and so. */
export function differences({ status, replicas, processes, holders, wanted }) {
  const found = [];
  for (const node of status.nodes)
    if (node.state !== "up") found.push(`node ${node.name} is ${node.state}: ${node.reason}`);
  if (status.cluster.leader === null) found.push("there is no leader");
  for (const [service, count] of Object.entries(wanted)) {
    const rows = status.services.filter((row) => row.service === service);
    if (rows.length !== count) found.push(`${rows.length} of ${service}, ${count} are wanted`);
  }
  const running = new Map();
  for (const row of status.services) {
    // What a node runs of its own accord holds no name, and is not wanted by the cluster file.
    if (row.state === "running") wanted[row.service] && running.set(row.instance, row);
    else if (row.state !== "stopped" || row.reason !== "stopped by a person")
      found.push(`${row.instance || `${row.service}@${row.node}`} is ${row.state}: ${row.reason}`);
  }
  for (const row of running.values()) found.push(...rowDifferences(row, processes, holders));
  for (const { pid, instance } of processes) {
    if (!running.has(instance))
      found.push(`process ${pid} of ${instance} runs, and the graph has no such running instance`);
  }
  for (const [name, instance] of holders) {
    if (!running.has(instance)) found.push(`${name} is held by "${instance}", not in the graph`);
  }
  const told = (of) => JSON.stringify([of?.cluster.leader, of?.nodes, of?.services]);
  for (const { name, seen } of replicas) {
    if (told(seen) !== told(status))
      found.push(`the replica of ${name} differs from the graph of ${status.cluster.leader}`);
  }
  return found;
}

function rowDifferences(row, processes, holders) {
  const found = [];
  const holder = holders.get(`${row.node}-${row.service}`);
  if (holder !== row.instance)
    found.push(`${row.instance} is running in the graph, its name is held by "${holder}"`);
  if (row.osPid === undefined) {
    if (row.service !== "thread") found.push(`${row.instance} has no osPid`);
    return found;
  }
  const leader = processes.find(({ pid }) => pid === row.osPid);
  if (leader?.instance !== row.instance)
    found.push(`process ${row.osPid} of ${row.instance} is "${leader?.instance ?? "gone"}"`);
  return found;
}
