// Starts the three processes of ceiling.mjs.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, kill, start } from "./processes.mjs";

const program = fileURLToPath(new URL("ceiling.mjs", import.meta.url));

export async function startCeiling(dir) {
  const run = (...args) =>
    start(process.execPath, [program, ...args], ["ignore", "pipe", "inherit"]);
  const followers = [1, 2].map((at) => run("follower", join(dir, `follower-${at}`)));
  const ports = await Promise.all(followers.map(firstLine));
  const leading = run("leader", join(dir, "leader"), ...ports);
  const leader = { port: Number(await firstLine(leading)), child: leading };
  const members = [leader, ...followers.map((child) => ({ child }))];
  return {
    name: "ceiling",
    members,
    leader: async () => leader,
    stop: (signal) => Promise.all(members.map(({ child }) => kill(child, signal))),
  };
}
