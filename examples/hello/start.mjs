// Runs this folder's cluster file as three nodes on this machine. Further options go to `halond`.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const halond = fileURLToPath(new URL("../../packages/cli/bin/halond.js", import.meta.url));
const given = process.argv.slice(2);
const hasDataDir = given.some((option) => option.split("=")[0] === "--data-dir");
const dataDir = hasDataDir ? [] : ["--data-dir", mkdtempSync(join(tmpdir(), "halon-hello-"))];

const child = spawn(
  process.execPath,
  [halond, "start", "--local", "3", ...dataDir, "--apply", join(here, "cluster.ts"), ...given],
  { stdio: ["inherit", "pipe", "inherit"] },
);

child.stdout.on("data", (chunk) => {
  process.stdout.write(chunk);
  if (String(chunk).includes("cluster ready")) process.stdout.write(next);
});
// The launcher gets the terminal's signals too, and ends by itself; this process waits for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  if (!hasDataDir) rmSync(dataDir[1], { recursive: true, force: true });
  process.exit(code ?? (signal === null ? 1 : 0));
});

const next = `
Try next, in a second terminal of this folder:
  npx halonctl status                       three nodes and their services
  kill -9 PID                               of a web, PID from the status; then look again
  npx halonctl event list                   what happened, and why
  npx halonctl service status ping          ask the services themselves
  npx halonctl event emit GreetingChanged '{"greeting":"hi"}'
Ctrl-C stops everything.
`;
