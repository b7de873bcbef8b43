import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Heard, hear, until } from "../process/testing.ts";
import type { Runner, RunnerSpec } from "../runner.ts";
import { adoptOcf } from "./adopt.ts";
import { startOcf } from "./runner.ts";
import { type OcfHome, openOcfHome, testAgents } from "./testing.ts";

const scripted = "ocf:test:scripted";

let home: OcfHome;
let heard: Heard;

beforeAll(() => {
  process.env["HALON_OCF_ROOT"] = testAgents;
});
afterAll(() => {
  delete process.env["HALON_OCF_ROOT"];
});
beforeEach(() => {
  home = openOcfHome();
  heard = hear();
});
afterEach(() => home.close());

async function started(
  config: Parameters<OcfHome["spec"]>[1] = {},
  changes: Parameters<OcfHome["spec"]>[2] = {},
): Promise<{ readonly runner: Runner; readonly spec: RunnerSpec }> {
  const spec = await home.spec(scripted, config, changes);
  const runner = startOcf(spec, heard.listener);
  await heard.next("ready");
  return { runner, spec };
}

function pidFile(): number {
  return Number(readFileSync(join(home.path, "pid"), "utf8"));
}

test("a start validates, probes, starts and monitors; a stop is confirmed by a monitor and leaves nothing", async () => {
  const { runner, spec } = await started();
  expect(heard.types()).toEqual(["loaded", "ready"]);
  expect(home.calls()).toEqual(["validate-all", "probe", "start", "monitor"]);
  expect(runner.osPid).toBe(pidFile());
  expect(await runner.check(1_000)).toEqual({ health: "ok" });
  runner.requestStop();
  expect(await heard.next("exited")).toMatchObject({ reason: "it was asked to stop" });
  expect(home.calls().slice(4)).toEqual(["monitor", "stop", "probe"]);
  expect(home.pidsOf("web")).toEqual([]);
  expect(existsSync(join(spec.directory, "ocf.json"))).toBe(false);
});

test("what runs already is taken over as started", async () => {
  const first = await started();
  first.runner.release();
  const pid = pidFile();
  const again = hear();
  startOcf(await home.spec(scripted, {}, { incarnation: 2 }), again.listener);
  await again.next("ready");
  expect(home.calls().slice(4)).toEqual(["validate-all", "probe"]);
  expect(pidFile()).toBe(pid);
});

test("what is found failed is stopped before it is started", async () => {
  const config = { codes: "probe=1" };
  startOcf(await home.spec(scripted, config), heard.listener);
  await heard.next("ready");
  expect(home.calls()).toEqual(["validate-all", "probe", "stop", "start", "monitor"]);
});

test("a death is noticed by the process, not by the next monitor, and what is left is ended", async () => {
  const { runner } = await started({ leave: "start" });
  expect(home.pidsOf("web")).toHaveLength(2);
  process.kill(pidFile(), "SIGKILL");
  expect(await heard.next("problem")).toMatchObject({
    code: "HAL_FAILED",
    cause: "exit",
    reason: "monitor returned 7 (not running)",
  });
  runner.kill();
  await heard.next("exited");
  expect(heard.types()).toEqual(["loaded", "ready", "problem", "exited"]);
  expect(home.pidsOf("web")).toEqual([]);
});

test("one that was stopped by a signal is not alive; a stop lets it go on, so that it can end", async () => {
  const { runner } = await started();
  expect(await runner.alive?.(1_000)).toEqual({ ok: true });
  process.kill(pidFile(), "SIGSTOP");
  await expect
    .poll(() => runner.alive?.(1_000))
    .toEqual({
      ok: false,
      detail: `process ${pidFile()} is stopped`,
    });
  runner.requestStop();
  await heard.next("exited");
  expect(home.calls().filter((call) => call === "stop")).toHaveLength(1);
});

test.each([
  ["validate-all=6", "HAL_CONFIG_INVALID", "validate-all returned 6 (not configured)"],
  ["validate-all=2", "HAL_CONFIG_INVALID", "validate-all returned 2 (invalid argument)"],
  ["probe=5", "HAL_SERVICE_START", "monitor returned 5 (not installed)"],
  ["start=4", "HAL_SERVICE_START", "start returned 4 (insufficient privileges)"],
  ["start=42", "HAL_SERVICE_START", "start returned 42 (a code that OCF does not know)"],
  ["monitor=6", "HAL_CONFIG_INVALID", "monitor returned 6 (not configured)"],
])("%s at the start: %s, with the table's word and the agent's", async (codes, code, text) => {
  startOcf(await home.spec(scripted, { codes }), heard.listener);
  const problem = await heard.next("problem");
  expect(problem).toMatchObject({ code, reason: expect.stringContaining(text) });
  expect(problem.reason).toContain("was told to return");
  await heard.next("exited");
  expect(heard.types().filter((type) => type === "ready")).toEqual([]);
  expect(home.pidsOf("web")).toEqual([]);
});

test("validate-all that is not implemented is no obstacle", async () => {
  await started({ codes: "validate-all=3" });
});

test.each(["190", "8"])("a monitor that returns %s finds it running", async (code) => {
  const { runner } = await started({ codes: `monitor=${code}` });
  const check = await runner.check(1_000);
  expect(check.health).toBe(code === "190" ? "warn" : "ok");
});

test.each(["monitor=1", "monitor=9", "monitor=77", "monitor=3"])(
  "%s while it runs is a failure, and it is stopped",
  async (codes) => {
    // The code is told after the start only.
    const { runner, spec } = await started();
    const adopted = hear();
    runner.release();
    writeFileSync(
      join(spec.directory, "ocf.json"),
      readFileSync(join(spec.directory, "ocf.json"), "utf8").replace(
        '"config":{',
        `"config":{"codes":"${codes}",`,
      ),
    );
    await adoptAll(adopted);
    const problem = await adopted.next("problem");
    expect(problem).toMatchObject({ code: "HAL_FAILED", cause: "liveness" });
    expect(problem.reason).toContain(`monitor returned ${codes.slice(8)}`);
    await adopted.next("exited");
    expect(home.calls()).toContain("stop");
    expect(home.pidsOf("web")).toEqual([]);
  },
);

test("an exclusive resource does not go on without its keeper: its processes are gone when it is found, and its agent stops the rest", async () => {
  const spec = { ...(await home.spec(scripted)), lease: { token: 7, leaseMs: 2_000 } };
  const before = startOcf(spec, heard.listener);
  await heard.next("ready");
  before.release();
  expect(home.pidsOf("web")).not.toEqual([]);
  const adopted = hear();
  await adoptAll(adopted, (found) => {
    expect(found.lease).toEqual(spec.lease);
    expect(home.pidsOf("web")).toEqual([]);
  });
  expect(await adopted.next("problem")).toMatchObject({ cause: "lease" });
  await adopted.next("exited");
  expect(home.calls()).toContain("stop");
  expect(home.pidsOf("web")).toEqual([]);
});

test.each([
  ["validate-all", "validate-all did not end within ", { startTimeoutMs: 300 }],
  ["start", "start did not end within ", { startTimeoutMs: 4_000 }],
])("an agent that hangs in %s is ended at its deadline", async (hang, reason, changes) => {
  startOcf(await home.spec(scripted, { hang }, changes), heard.listener);
  expect((await heard.next("problem")).reason).toContain(reason);
  await heard.next("exited");
  expect(home.pidsOf("web")).toEqual([]);
});

test("a monitor that hangs is a hung resource: it is killed, then stopped", async () => {
  const { runner, spec } = await started();
  runner.release();
  const record = join(spec.directory, "ocf.json");
  const text = readFileSync(record, "utf8")
    .replace('"config":{', '"config":{"hang":"monitor",')
    .replace('"checkTimeoutMs":10000', '"checkTimeoutMs":300');
  writeFileSync(record, text);
  const adopted = hear();
  await adoptAll(adopted);
  expect(await adopted.next("problem")).toMatchObject({
    cause: "hung",
    reason: expect.stringContaining("it hangs: monitor did not end within 300 ms"),
  });
  const { reason } = await adopted.next("exited");
  expect(reason).toContain("the agent does not confirm that it is stopped");
  expect(home.pidsOf("web")).toEqual([]);
});

test("a stop that hangs ends with what bears the mark killed, and says that nobody confirms it", async () => {
  const { runner } = await started({ hang: "stop" }, { stopTimeoutMs: 2_000 });
  runner.requestStop();
  await heard.next("exited");
  expect(home.pidsOf("web")).toEqual([]);
  expect(home.calls().slice(4)).toEqual(
    ["stop", "probe", "stop", "probe"].slice(0, home.calls().length - 4),
  );
});

test("an agent that says for ever that it runs is not waited for without end", async () => {
  const { runner } = await started({ lies: true, codes: "stop=0" });
  runner.requestStop();
  expect((await heard.next("exited")).reason).toContain("monitor returned 0 (success)");
  expect(home.pidsOf("web")).toEqual([]);
});

test("a start that says that all is well, and a monitor that does not, is a failed start", async () => {
  startOcf(
    await home.spec(scripted, { codes: "start=0" }, { startTimeoutMs: 4_000 }),
    heard.listener,
  );
  expect((await heard.next("problem")).reason).toContain("monitor has not said in time");
  await heard.next("exited");
});

test("100 MB of output stay in a file within its bound, and are not read", async () => {
  const before = process.memoryUsage().rss;
  const { runner, spec } = await started({ print: "start" }, { startTimeoutMs: 30_000 });
  const sizes = () =>
    ["output.log", "output.1.log"].map(
      (name) => statSync(join(spec.directory, name), { throwIfNoEntry: false })?.size ?? 0,
    );
  await until("the output is cut", () => sizes().every((size) => size <= 1_048_576));
  expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
  expect(JSON.stringify(await runner.status(1_000)).length).toBeLessThan(4_000);
  runner.requestStop();
  await heard.next("exited");
});

test("what an agent leaves behind at its stop is ended", async () => {
  const { runner } = await started({ leave: "stop" });
  runner.requestStop();
  await heard.next("exited");
  expect(home.pidsOf("web")).toEqual([]);
});

test("a stop while it starts ends the call and what it has started", async () => {
  const runner = startOcf(await home.spec(scripted, { hang: "start" }), heard.listener);
  await until("start is called", () => home.calls().includes("start"));
  runner.requestStop();
  await heard.next("exited");
  expect(heard.types()).toEqual(["loaded", "exited"]);
  expect(home.pidsOf("web")).toEqual([]);
});

test("promote tells the agent before and after; what it does not have is refused by name", async () => {
  const { runner } = await started();
  expect(await runner.call("promote", [], 2_000)).toMatchObject({ result: "success" });
  await expect(runner.call("demote", [], 2_000)).rejects.toMatchObject({
    code: "HAL_NOT_FOUND",
    message: expect.stringContaining("takes promote,notify".replace(",", ", ")),
  });
  await expect(runner.call("notify", ["never"], 2_000)).rejects.toThrow("notify takes");
  const calls = home.calls().filter((call) => call !== "monitor");
  expect(calls.slice(3)).toEqual(["notify-pre-promote", "promote", "notify-post-promote"]);
});

test("parameters that can be reloaded are, others need a restart", async () => {
  const { runner, spec } = await started();
  const greeting = { ...spec.config, greeting: "good day" };
  expect(await runner.reconfigure(greeting, 2_000)).toBe("done");
  expect(home.calls()).toContain("reload-good day");
  expect(readFileSync(join(spec.directory, "ocf.json"), "utf8")).toContain("good day");
  expect(await runner.reconfigure({ ...greeting, tries: 2 }, 2_000)).toBe("restart");
});

test("a resource outlives halond, and the next one goes on with it", async () => {
  const { runner } = await started();
  const pid = pidFile();
  expect(runner.release()).toBe(true);
  const adopted = hear();
  const [taken] = await adoptAll(adopted);
  await adopted.next("ready");
  expect(taken?.osPid).toBe(pid);
  expect(await taken?.check(1_000)).toEqual({ health: "ok" });
  taken?.requestStop();
  await adopted.next("exited");
  expect(home.pidsOf("web")).toEqual([]);
});

test("one that died while no halond ran is told as failed", async () => {
  const { runner } = await started();
  runner.release();
  process.kill(pidFile(), "SIGKILL");
  const adopted = hear();
  await adoptAll(adopted);
  expect(await adopted.next("problem")).toMatchObject({ cause: "exit" });
  await adopted.next("exited");
});

test("one whose agent is gone is ended by its mark", async () => {
  const { runner, spec } = await started();
  runner.release();
  const record = join(spec.directory, "ocf.json");
  writeFileSync(record, readFileSync(record, "utf8").replace(/test:scripted/, "test:gone"));
  const adopted = hear();
  await adoptAll(adopted);
  expect((await adopted.next("exited")).reason).toContain("no resource agent ocf:test:gone");
  expect(home.pidsOf("web")).toEqual([]);
});

test("what runs without a record that can be read is ended", async () => {
  const { runner, spec } = await started();
  runner.release();
  writeFileSync(join(spec.directory, "ocf.json"), "{");
  const found: string[] = [];
  await adoptOcf(where(), ({ type }) => found.push(type));
  expect(found).toEqual(["dropped", "ended"]);
  expect(home.pidsOf("web")).toEqual([]);
});

test("an agent that vanishes while its resource runs is a failure that names it, and nothing is left", async () => {
  const root = join(home.path, "root");
  cpSync(testAgents, root, { recursive: true });
  process.env["HALON_OCF_ROOT"] = root;
  try {
    const { runner } = await started();
    rmSync(root, { recursive: true });
    void runner.check(1_000);
    expect((await heard.next("problem")).reason).toContain("scripted monitor cannot be run");
    await heard.next("exited");
    expect(home.pidsOf("web")).toEqual([]);
  } finally {
    process.env["HALON_OCF_ROOT"] = testAgents;
  }
});

test("a service whose agent is not on the node cannot be started, and the error names it", async () => {
  const spec = await home.spec(scripted);
  const { ocf } = spec.manifest;
  const manifest = { ...spec.manifest, ocf: { actions: {}, ...ocf, agent: "ocf:test:scripte" } };
  expect(() => startOcf({ ...spec, manifest }, heard.listener)).toThrow(
    "Near to it: ocf:test:scripted",
  );
});

function where() {
  return { node: "node-1", servicesDirectory: home.path, blobPath: (hash: string) => hash };
}

async function adoptAll(
  adopted: Heard,
  look: (spec: RunnerSpec) => void = () => undefined,
): Promise<readonly Runner[]> {
  const runners: Runner[] = [];
  await adoptOcf(where(), (found) => {
    if (found.type === "adopted") look(found.spec);
    if (found.type === "adopted") runners.push(found.watch(adopted.listener));
  });
  return runners;
}
