/** Type-checks what `tsc -b` leaves out: the tests of all packages and `test/` as one program, which is read once, and `examples/`. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = join(root, "node_modules/@typescript/native/bin/tsc");

const folders = (parent) =>
  existsSync(join(root, parent)) ? readdirSync(join(root, parent)).sort() : [];

const projects = [
  "tsconfig.tests.json",
  ...folders("examples").map((name) => `examples/${name}/tsconfig.json`),
].filter((project) => existsSync(join(root, project)));

const failed = projects.filter((project) => {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, [compiler, "--noEmit", "-p", project], {
    cwd: root,
    stdio: "inherit",
  });
  const took = Math.round(performance.now() - started);
  console.log(`typecheck ${project}: ${status === 0 ? "ok" : "failed"} (${took} ms)`);
  return status !== 0;
});

if (projects.length === 0) throw new Error("no tsconfig of tests was found");
process.exitCode = failed.length === 0 ? 0 : 1;
