import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunnerSpec } from "../runner.ts";
import { adoptProcesses, type Found } from "./adopt.ts";
import { isRunning, type ProcessId, readStat } from "./proc.ts";
import { startProcess } from "./start.ts";
import { type Home, hear, openHome, until } from "./testing.ts";

let home: Home;
const children: ChildProcess[] = [];
beforeEach(() => {
  home = openHome();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  home.close();
});

async function adopt(servicesDirectory = home.path): Promise<readonly Found[]> {
  const found: Found[] = [];
  const options = { servicesDirectory, node: "node-1", blobPath: (hash: string) => hash };
  await adoptProcesses(options, (one) => found.push(one));
  return found;
}

function onlyAdopted(found: readonly Found[]) {
  const [one] = found;
  if (found.length !== 1 || one?.type !== "adopted") {
    throw new Error(`expected one adopted process, found ${JSON.stringify(found)}`);
  }
  return one;
}

const recordPath = (spec: RunnerSpec) => join(spec.directory, "process.json");

function editRecord(spec: RunnerSpec, change: Readonly<Record<string, unknown>>): void {
  const record = JSON.parse(readFileSync(recordPath(spec), "utf8"));
  writeFileSync(recordPath(spec), JSON.stringify({ ...record, ...change }));
}

function idOf(pid: number | undefined): ProcessId {
  const stat = readStat(pid ?? 0);
  if (stat === undefined) throw new Error(`there is no process ${pid}`);
  return { pid: stat.pid, startTime: stat.startTime };
}

/** Starts the services in a process of its own, which is then killed: what an earlier halond leaves behind. */
async function startAndCrash(specs: readonly RunnerSpec[]): Promise<readonly ProcessId[]> {
  const code = `
    import { startProcess } from ${JSON.stringify(new URL("start.ts", import.meta.url).href)};
    const pids = [];
    for (const spec of JSON.parse(process.argv[1])) {
      const runner = startProcess({ ...spec, blobPath: (hash) => hash }, ({ type }) => {
        if (type === "ready") pids.push(runner.osPid);
        if (pids.length === ${specs.length}) console.log(JSON.stringify(pids));
      });
    }`;
  const loader = ["--import", "tsx", "--conditions=@halon/source"];
  const args = [...loader, "--input-type=module", "-e", code, JSON.stringify(specs)];
  const crashing = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(crashing);
  const [line] = await once(crashing.stdout, "data");
  const ids = (JSON.parse(String(line)) as number[]).map(idOf);
  crashing.kill("SIGKILL");
  await once(crashing, "exit");
  return ids;
}

describe("what was released", () => {
  test("goes on, and the next runner stops it", async () => {
    const first = hear();
    const runner = startProcess(home.spec({}), first.listener);
    await first.next("ready");
    const id = idOf(runner.osPid);
    expect(runner.release()).toBe(true);

    const second = hear();
    const adopted = onlyAdopted(await adopt()).watch(second.listener);
    expect(second.events).toEqual([]);
    await second.next("ready");
    expect(adopted.osPid).toBe(id.pid);
    expect(isRunning(id)).toBe(true);
    expect(await adopted.check(100)).toEqual({ health: "ok" });
    expect(await adopted.status(100)).toMatchObject({ osPid: id.pid, command: ["sleep", "60"] });

    adopted.requestStop();
    expect((await second.next("exited")).exit).toEqual({ code: null, signal: null });
    expect(second.types()).toEqual(["loaded", "ready", "exited"]);
    expect(first.types()).toEqual(["loaded", "ready"]);
    expect(await adopt()).toEqual([]);
  });

  test("keeps the resource that it took", async () => {
    const spec = home.spec({
      command: ["sh", "-c", "echo port 8080; exec sleep 60"],
      ready: {
        type: "output",
        pattern: "port (?<port>\\d+)",
        acquire: { kind: "TcpPort", id: "{port}", attributes: { port: "{port}" } },
      },
    });
    const first = hear();
    const runner = startProcess(spec, first.listener);
    await first.next("ready");
    runner.release();
    writeFileSync(join(spec.directory, "output.log"), "");
    const second = hear();
    onlyAdopted(await adopt()).watch(second.listener);
    await second.next("ready");
    expect(second.events).toEqual(first.events);
  });

  test("before it was ready is waited for again", async () => {
    const spec = home.spec({
      command: ["sh", "-c", "until [ -e go ]; do sleep 0.01; done; echo up; exec sleep 60"],
      ready: { type: "output", pattern: "up" },
    });
    const first = hear();
    const runner = startProcess(spec, first.listener);
    await first.next("loaded");
    runner.release();
    const second = hear();
    onlyAdopted(await adopt()).watch(second.listener);
    await second.next("loaded");
    expect(second.types()).toEqual(["loaded"]);
    writeFileSync(join(spec.directory, "go"), "");
    await second.next("ready");
  });
});

describe("what outlived a crash", () => {
  test("is adopted, and its end is noticed", async () => {
    const [id] = await startAndCrash([home.spec({}, { incarnation: 4 })]);
    if (id === undefined) throw new Error("nothing was started");
    const adopted = onlyAdopted(await adopt());
    expect(adopted.spec.instance).toBe("web@node-1#4");
    const heard = hear();
    adopted.watch(heard.listener);
    await heard.next("ready");
    process.kill(id.pid, "SIGKILL");
    await heard.next("exited");
    expect(existsSync(join(home.path, "web/process.json"))).toBe(false);
  });

  test("is killed as a group, with what ignores signals", async () => {
    const command = [
      "sh",
      "-c",
      "trap '' TERM; (trap '' TERM; sleep 60; sleep 60) & sleep 60; wait",
    ];
    const [id] = await startAndCrash([home.spec({ command })]);
    const heard = hear();
    const adopted = onlyAdopted(await adopt()).watch(heard.listener);
    await heard.next("ready");
    adopted.kill();
    await heard.next("exited");
    expect(id !== undefined && isRunning(id)).toBe(false);
  });

  test("without a record is ended and reported, and what has one goes on", async () => {
    const kept = home.spec({}, { service: "kept" });
    const lost = home.spec({}, { service: "lost", incarnation: 2 });
    const damaged = home.spec({}, { service: "damaged" });
    const ids = await startAndCrash([kept, lost, damaged]);
    renameSync(recordPath(lost), `${recordPath(lost)}.away`);
    writeFileSync(recordPath(damaged), '{"pid": 4711');

    const found = await adopt();
    expect(ids.map(isRunning)).toEqual([true, false, false]);
    expect(found).toContainEqual(expect.objectContaining({ type: "adopted", osPid: ids[0]?.pid }));
    expect(found).toContainEqual(
      expect.objectContaining({
        type: "ended",
        service: "lost",
        instance: "lost@node-1#2",
        osPid: ids[1]?.pid,
      }),
    );
    expect(found).toContainEqual(
      expect.objectContaining({
        type: "dropped",
        service: "damaged",
        reason: expect.stringContaining("process.json"),
      }),
    );
    expect(found).toContainEqual(expect.objectContaining({ type: "ended", service: "damaged" }));
    expect(found).toHaveLength(4);
  });

  test("twice for one service: the recorded one stays", async () => {
    const ids = await startAndCrash([
      home.spec({}, { incarnation: 1 }),
      home.spec({}, { incarnation: 2 }),
    ]);
    const found = await adopt();
    expect(ids.map(isRunning)).toEqual([false, true]);
    expect(found.map(({ type }) => type)).toEqual(["adopted", "ended"]);
  });

  test("keeps what it started in another session", async () => {
    const spec = home.spec({
      command: ["sh", "-c", "setsid sleep 61 & echo $!; exec sleep 60"],
      ready: { type: "output", pattern: "\\d" },
    });
    await startAndCrash([spec]);
    const output = readFileSync(join(spec.directory, "output.log"), "utf8");
    const child = idOf(Number.parseInt(output, 10));
    onlyAdopted(await adopt());
    expect(isRunning(child)).toBe(true);
  });
});

describe("a stranger is never touched", () => {
  /** A process of the test itself, with nothing of ours in its environment. */
  function stranger(): ProcessId {
    const child = spawn("sleep", ["60"], {
      detached: true,
      stdio: "ignore",
      env: { PATH: "/bin:/usr/bin" },
    });
    children.push(child);
    return idOf(child.pid);
  }

  async function releasedSpec(): Promise<RunnerSpec> {
    const heard = hear();
    const spec = home.spec({});
    const runner = startProcess(spec, heard.listener);
    await heard.next("ready");
    runner.release();
    return spec;
  }

  test.each([
    { name: "another start time", change: { startTime: 1 }, says: /another time/ },
    { name: "another start of the machine", change: { bootId: "x" }, says: /restarted/ },
    { name: "another node", change: { node: "node-9" }, says: /node-9/ },
    { name: "another service", change: { service: "db" }, says: /db/ },
  ])("where the record tells of $name", async ({ change, says }) => {
    const spec = await releasedSpec();
    const other = stranger();
    editRecord(spec, { ...other, ...change });
    const found = await adopt();
    expect(found).toEqual([
      { type: "dropped", service: "web", reason: expect.stringMatching(says) },
    ]);
    expect(isRunning(other)).toBe(true);
    expect(existsSync(recordPath(spec))).toBe(false);
  });

  test("where the record is a copy from another data directory", async () => {
    const spec = await releasedSpec();
    const { pid } = JSON.parse(readFileSync(recordPath(spec), "utf8"));
    const other = openHome();
    mkdirSync(join(other.path, "web"));
    writeFileSync(join(other.path, "web/process.json"), readFileSync(recordPath(spec)));
    const found = await adopt(other.path);
    other.close();
    expect(found).toMatchObject([{ type: "dropped" }]);
    expect(isRunning(idOf(pid))).toBe(true);
  });

  test("where the record names a pid that is gone", async () => {
    const spec = await releasedSpec();
    const { pid, startTime } = JSON.parse(readFileSync(recordPath(spec), "utf8"));
    process.kill(pid, "SIGKILL");
    await until("it is gone", () => !isRunning({ pid, startTime }));
    expect(await adopt()).toMatchObject([
      { type: "dropped", reason: expect.stringContaining("is gone") },
    ]);
  });
});

test("a data directory that is reached by a link is the same one", async () => {
  const [id] = await startAndCrash([home.spec({})]);
  const link = join(dirname(home.path), `${process.pid}-halon-link`);
  symlinkSync(home.path, link);
  try {
    expect(onlyAdopted(await adopt(link)).osPid).toBe(id?.pid);
  } finally {
    renameSync(link, join(home.path, "link"));
  }
});

test("there is nothing to adopt where nothing was started", async () => {
  expect(await adopt(join(home.path, "none"))).toEqual([]);
});
