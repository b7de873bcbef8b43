// Pacemaker as one node above corosync, in namespaces of its own (pacemaker.sh).
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { byPid, clock, end, NotHere, numbers, victim } from "./contestants.mjs";

const readyMs = 120_000;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Two contestants of one cluster: one waits for its monitor, which runs every second, the other is told of each failure. */
export async function startPacemaker(stamps, dir) {
  const missing = ["/usr/sbin/pacemakerd", "/usr/sbin/corosync", "/usr/sbin/crm_resource"].filter(
    (program) => !existsSync(program),
  );
  if (missing.length > 0) throw new NotHere(`no ${missing[0]}`);
  if (process.getuid() !== 0) throw new NotHere("it needs root");
  mkdirSync(dir, { recursive: true });
  const monitored = { title: "pacemaker, monitor every 1 s", name: "pacemaker-monitored" };
  const told = { title: "pacemaker, told", name: "pacemaker-told" };
  const primitives = numbers.flatMap((number) => [
    primitive(`monitored-${number}`, stamps, `${monitored.name}/${number}`, true),
    primitive(`told-${number}`, stamps, `${told.name}/${number}`, false),
  ]);
  writeFileSync(
    join(dir, "resources.xml"),
    `<resources>\n${primitives.join("\n")}\n</resources>\n`,
  );
  const child = spawn(
    "unshare",
    ["--mount", "--net", "--uts", "sh", here("./pacemaker.sh"), dir, here("./pacemaker-agent.sh")],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const stop = () => end(child);
  try {
    await whenReady(child);
    const silent = await byPid(stamps, { ...monitored, stop });
    const loud = await byPid(stamps, { ...told, stop });
    const kill = (name) => {
      const diedAt = loud.kill(name);
      child.stdin.write(`told-${name.split("/").at(-1)}\n`);
      return diedAt;
    };
    return [silent, { ...loud, kill }];
  } catch (error) {
    await stop();
    throw new NotHere(`${error.message.trim()}${lastLine(join(dir, "corosync.log"))}`);
  }
}

function primitive(id, stamps, name, isMonitored) {
  const parameters = { victim, stamps: stamps.path, name, clock };
  const pairs = Object.entries(parameters).map(
    ([key, value]) => `<nvpair id="${id}-${key}" name="${key}" value="${value}"/>`,
  );
  const monitor = isMonitored
    ? `<op id="${id}-op" name="monitor" interval="1s" timeout="20s"/>`
    : "";
  return [
    `<primitive id="${id}" class="ocf" provider="bench" type="victim">`,
    `<instance_attributes id="${id}-all">${pairs.join("")}</instance_attributes>`,
    `<operations>${monitor}</operations>`,
    "</primitive>",
  ].join("");
}

function whenReady(child) {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(() => reject(new Error(`not ready in ${readyMs} ms`)), readyMs);
    const take = (chunk) => {
      output += chunk;
      if (!/^ready$/m.test(output)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    // It may have ended when it is told of a failure.
    child.stdin.on("error", () => undefined);
    const fail = (reason) => {
      clearTimeout(timer);
      reject(new Error(reason));
    };
    child.once("error", ({ message }) => fail(message));
    child.once("exit", () => fail(output.split("\n").filter(Boolean).at(-1) ?? "it ended"));
  });
}

function lastLine(path) {
  const line = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").at(-1) : "";
  return line === "" ? "" : ` (${line})`;
}
