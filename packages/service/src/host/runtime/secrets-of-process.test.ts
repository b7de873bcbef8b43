import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readCommand, readEnvironment } from "../process/proc.ts";
import { startProcess } from "../process/start.ts";
import { type Home, hear, openHome } from "../process/testing.ts";
import { configValuesOf } from "./secrets.ts";

const value = "correct horse battery staple";
const config = { key: { $secret: "env:HALON_TEST_SECRET" } };

let home: Home;
beforeEach(() => {
  home = openHome();
  vi.stubEnv("HALON_TEST_SECRET", value);
});
afterEach(() => {
  home.close();
  vi.unstubAllEnvs();
});

/** Every file below, as text. */
function allFiles(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => existsSync(path) && statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"))
    .join("\n");
}

test("a process has the value in its environment, and neither its record nor its command line has it", async () => {
  const spec = home.spec({ command: ["sleep", "60"], env: { DB_KEY: "{config.key}" } }, { config });
  const heard = hear();
  const runner = startProcess({ ...spec, configValues: configValuesOf(config) }, heard.listener);
  await heard.next("ready");
  const pid = runner.osPid ?? 0;
  expect(readEnvironment(pid)?.get("DB_KEY")).toBe(value);
  expect(readCommand(pid).join(" ")).not.toContain(value);
  const files = allFiles(home.path);
  expect(files).toContain("env:HALON_TEST_SECRET");
  expect(files).not.toContain(value);
  expect(JSON.stringify(await runner.status(1_000))).not.toContain(value);
  runner.kill();
  await heard.next("exited");
});

test("a template of a command line gives the reference, whoever wrote it", async () => {
  const spec = home.spec({ command: ["sleep", "60", "{config.key}"] }, { config });
  const heard = hear();
  const runner = startProcess({ ...spec, configValues: configValuesOf(config) }, heard.listener);
  const ended = await Promise.race([heard.next("ready"), heard.next("exited")]);
  expect(JSON.stringify([ended, heard.events])).not.toContain(value);
  runner.kill();
});
