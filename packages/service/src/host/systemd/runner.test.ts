import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Heard, hear, openHome } from "../process/testing.ts";
import type { RunnerSpec } from "../runner.ts";
import { startSystemd, systemdRunner } from "./runner.ts";

const isBooted = existsSync("/run/systemd/system");
if (!isBooted) process.stderr.write("skipped: real units, as systemd does not run here\n");

/** Stands in for systemctl: its unit is a sleep, and hangs or refuses as the name of the unit says. */
const systemctl = `#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
start) case "$2" in bad*) echo "Unit $2 not found." >&2; exit 5 ;; esac
  sleep 1004 >/dev/null 2>&1 & echo $! >pid ;;
stop | kill) [ -f pid ] && kill -9 "$(cat pid)" 2>/dev/null; rm -f pid ;;
show)
  if [ -f pid ] && [ "$(cut -d' ' -f3 /proc/$(cat pid)/stat 2>/dev/null)" = S ]; then
    printf 'ActiveState=active\\nSubState=running\\nResult=success\\nMainPID=%s\\n' "$(cat pid)"
  else
    printf 'ActiveState=failed\\nSubState=dead\\nResult=signal\\nMainPID=0\\n'
  fi ;;
esac
exit 0
`;

let directory: string;
let heard: Heard;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "halon-systemd-"));
  writeFileSync(join(directory, "systemctl"), systemctl);
  chmodSync(join(directory, "systemctl"), 0o755);
  heard = hear();
});
afterEach(() => {
  try {
    process.kill(Number(readFileSync(join(directory, "pid"), "utf8")), "SIGKILL");
  } catch {
    // It was stopped.
  }
  rmSync(directory, { recursive: true });
});

function specOf(unit: string): RunnerSpec {
  const home = openHome();
  const spec = home.spec({});
  home.close();
  return { ...spec, manifest: { ...spec.manifest, kind: "systemd", systemd: { unit } } };
}

function standIn() {
  return systemdRunner({ systemctl: join(directory, "systemctl"), bootedPath: directory });
}

test("a unit is started, checked and stopped", async () => {
  const runner = standIn()(specOf("web.service"), heard.listener);
  await heard.next("ready");
  expect(runner.osPid).toBe(Number(readFileSync(join(directory, "pid"), "utf8")));
  expect(await runner.check(1_000)).toEqual({ health: "ok" });
  runner.requestStop();
  await heard.next("exited");
  expect(heard.types()).toEqual(["loaded", "ready", "exited"]);
});

test("the death of its main process is noticed before the next check", async () => {
  const runner = standIn()(specOf("web.service"), heard.listener);
  await heard.next("ready");
  process.kill(runner.osPid ?? 0, "SIGKILL");
  const { reason } = await heard.next("problem");
  expect(reason).toContain("web.service is failed (dead), result signal");
  await heard.next("exited");
});

test("a unit that cannot be started is told with systemd's words", async () => {
  standIn()(specOf("bad.service"), heard.listener);
  const { reason } = await heard.next("problem");
  expect(reason).toContain("Unit bad.service not found.");
  await heard.next("exited");
});

test.each(["--now", "a b", ""])("%j is no name of a unit", (unit) => {
  expect(() => standIn()(specOf(unit), heard.listener)).toThrow("no name of a unit");
});

test.skipIf(isBooted)("where systemd does not run, a start says so", async () => {
  startSystemd(specOf("cron.service"), heard.listener);
  const { reason } = await heard.next("problem");
  expect(reason).toBe("systemd does not run on this node");
  await heard.next("exited");
  expect(heard.types()).toEqual(["problem", "exited"]);
});
