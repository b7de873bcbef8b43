import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type OcfHome, openOcfHome, testAgents } from "../ocf/testing.ts";
import { hear } from "../process/testing.ts";
import { startKept } from "./start-kept.ts";

let home: OcfHome;
beforeAll(() => {
  process.env["HALON_OCF_ROOT"] = testAgents;
});
afterAll(() => {
  delete process.env["HALON_OCF_ROOT"];
});
beforeEach(() => {
  home = openOcfHome();
});
afterEach(() => home.close());

async function start(leaseMs: number) {
  const heard = hear();
  const spec = { ...(await home.spec("ocf:test:scripted", {})), lease: { token: 1, leaseMs } };
  const runner = startKept(spec, heard.listener);
  await heard.next("ready");
  return { heard, runner };
}

test("the processes of an OCF resource end with its lease", async () => {
  const { heard, runner } = await start(2_000);
  expect(home.pidsOf("web")).not.toEqual([]);
  expect(await heard.next("problem")).toMatchObject({ cause: "lease" });
  runner.kill();
  await heard.next("exited");
  expect(home.pidsOf("web")).toEqual([]);
});

test("an OCF resource that is kept is stopped by its agent, and does not outlive halond", async () => {
  const { heard, runner } = await start(60_000);
  expect(runner.release()).toBe(false);
  runner.requestStop();
  await heard.next("exited");
  expect(home.calls()).toContain("stop");
  expect(heard.types()).toEqual(["loaded", "ready", "exited"]);
});
