/**
 * Compiles every package in one process: what `npm start` needs, several times faster than a task for each.
 *
 * `npm run build` does the same through turbo, which keeps the results for other runs.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
process.stderr.write("compiling Halon …\n");
const { status } = spawnSync(process.execPath, ["node_modules/@typescript/native/bin/tsc", "-b"], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
