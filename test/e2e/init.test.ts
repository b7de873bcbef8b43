import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cleanUp, ctl, follow, startNode, temporaryDirectory, waitForState } from "./cluster.ts";

afterEach(cleanUp);

test("a project of one's own installs, compiles, passes its test and runs", async () => {
  const directory = temporaryDirectory();
  const project = join(directory, "mine");
  const { endpoint } = await startNode(join(directory, "data"), ["--name", "node-1"]);
  await ctl(endpoint, "init", project);
  const sh = async (command: string) => {
    const child = spawn("sh", ["-c", command], {
      cwd: project,
      env: { ...process.env, HALON_ENDPOINT: endpoint, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { code, stdout, stderr } = await follow(child).ended;
    expect(code, `${command}: ${stdout}${stderr}`).toBe(0);
  };
  for (const command of [
    "npm ci --no-audit --no-fund",
    "npx tsc",
    "npm test",
    "npx halonctl apply -f cluster.ts",
  ]) {
    const began = performance.now();
    await sh(command);
    console.log(`${command}: ${Math.round(performance.now() - began)} ms`);
  }
  await waitForState(endpoint, "hello", "running");
  expect(await ctl(endpoint, "service", "logs", "hello")).toContain("Hello, node-1");
});
