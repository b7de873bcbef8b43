import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "halon-failpoint-"));
});
afterEach(() => rm(dir, { recursive: true }));

/** Runs the failpoint `store.after-write` in a process of its own. */
function run(env: Readonly<Record<string, string>>): { signal: string | null; output: string } {
  const source = fileURLToPath(new URL("./failpoint.ts", import.meta.url));
  const code = `const { failpoint } = await import(${JSON.stringify(source)}); failpoint("store.after-write"); console.log("went on");`;
  const child = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", code],
    { env: { PATH: process.env["PATH"], ...env }, encoding: "utf8" },
  );
  return { signal: child.signal, output: child.stdout.trim() };
}

test("an armed point ends the process once", async () => {
  await writeFile(join(dir, "store.after-write"), "");
  expect(run({ HALON_FAILPOINTS: dir })).toEqual({ signal: "SIGKILL", output: "" });
  expect(await readdir(dir)).toEqual([]);
  expect(run({ HALON_FAILPOINTS: dir })).toEqual({ signal: null, output: "went on" });
});

test("without the environment variable nothing is armed", async () => {
  await writeFile(join(dir, "store.after-write"), "");
  expect(run({})).toEqual({ signal: null, output: "went on" });
  expect(await readdir(dir)).toEqual(["store.after-write"]);
});
