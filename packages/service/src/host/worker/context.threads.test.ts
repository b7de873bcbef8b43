import { HalonError } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import type { ServiceDirectory } from "../runner.ts";
import { createRuntime } from "../runtime/create-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createEventLog, manifestOf, startAction, temporaryDirectory } from "../runtime/testing.ts";
import { startWorker } from "./start-worker.ts";

const talker = new URL("../../../testdata/workers/talker.mjs", import.meta.url).pathname;
const running: Runtime[] = [];
const kinds = [{ thread: "own" }, { thread: "shared" }] as const;

afterEach(async () => {
  for (const runtime of running.splice(0)) await runtime.shutdown({ keep: false });
});

async function setUp(changes: Parameters<typeof manifestOf>[0], directory?: ServiceDirectory) {
  const events = createEventLog();
  const runtime = createRuntime({
    node: "node-1",
    dataDir: temporaryDirectory(),
    blobPath: () => talker,
    emit: events.emit,
    runners: { worker: startWorker },
    now: () => performance.now(),
    ...(directory === undefined ? {} : { directory }),
  });
  running.push(runtime);
  runtime.start(startAction(1, manifestOf({ checkEveryMs: 60_000, ...changes })));
  const { instance } = await events.next("ServiceStarted");
  const call = (message: string, args: (string | number)[] = []) =>
    runtime.call(instance, message, args, 5_000);
  return { runtime, events, instance, call };
}

test.each(kinds)(
  "a service that says that its work is done ends, and did not fail ($thread)",
  async ({ thread }) => {
    const { events, call } = await setUp({ thread });
    await call("exit", ["all sent"]);
    expect(await events.next("ServiceExited")).toMatchObject({ reason: "all sent" });
    expect(events.all.map(({ type }) => type)).not.toContain("ServiceFailed");
  },
);

test.each(kinds)("what a service calls its failure is told ($thread)", async ({ thread }) => {
  const { events, call } = await setUp({ thread });
  await call("fail", ["no disk", "DISK"]).catch(() => undefined);
  expect(await events.next("ServiceFailed")).toMatchObject({
    reason: "no disk",
    cause: "announced",
    code: "DISK",
  });
});

test.each(kinds)(
  "a service gets the answer to its trouble, and goes on ($thread)",
  async ({ thread }) => {
    const { runtime, events, instance, call } = await setUp({ thread });
    void call("trouble", ["DISK_FULL", "sda"]);
    const { service, ref, ...told } = await events.next("ServiceTrouble");
    expect(told).toMatchObject({ code: "DISK_FULL", reason: "the disk is full", data: "sda" });
    const answer = { answer: "goOn", data: "sdb" } as const;
    runtime.answerTrouble({ type: "AnswerTrouble", service, instance, ref, ...answer });
    runtime.reportStatus({ type: "ReportStatus", service, instance });
    const { report } = await events.next("ServiceReported");
    expect(report).toEqual({ answered: answer, token: null });
  },
);

test("troubles without an answer are bounded", async () => {
  const { call } = await setUp({});
  expect(await call("troubles", [17])).toBe("HAL_TOO_MANY");
});

test.each(kinds)("a service finds another and calls it ($thread)", async ({ thread }) => {
  const calls: unknown[] = [];
  const { call } = await setUp(
    { thread },
    {
      lookup: (service) => Promise.resolve([{ instance: `${service}@node-2#7`, node: "node-2" }]),
      call(...args) {
        calls.push(args);
        return Promise.resolve("pong");
      },
      publish: () => Promise.reject(new Error("not asked here")),
    },
  );
  expect(await call("others", ["ping"])).toEqual(["node-2", "pong"]);
  expect(calls).toEqual([["ping@node-2#7", "ping", ["hello"]]]);
});

test.each(kinds)(
  "a service publishes events on its node, and is told which are refused ($thread)",
  async ({ thread }) => {
    const published: unknown[] = [];
    const { call } = await setUp(
      { thread },
      {
        lookup: () => Promise.resolve([]),
        call: () => Promise.resolve(null),
        publish: async (type, data) => {
          if (type !== "Sample") throw new HalonError("HAL_EVENT_UNKNOWN", `Nobody takes ${type}.`);
          published.push(data);
        },
      },
    );
    expect(await call("publish", ["Sample", 7])).toBe("published");
    expect(await call("publish", ["Other", 8])).toBe("HAL_EVENT_UNKNOWN");
    expect(published).toEqual([{ n: 7 }]);
  },
);

test.each([
  {
    name: "refused by the other",
    directory: {
      lookup: () => Promise.resolve([]),
      call: () => Promise.reject(new HalonError("HAL_SERVICE_NOT_RUNNING", "It is not here.")),
      publish: () => Promise.resolve(),
    },
    answer: ["HAL_SERVICE_NOT_RUNNING", "It is not here."],
  },
  { name: "without others", directory: undefined, answer: ["HAL_NOT_FOUND", expect.any(String)] },
])(
  "a call to another service that is $name rejects with its code",
  async ({ directory, answer }) => {
    const { call } = await setUp({}, directory);
    expect(await call("refused", ["ping@node-2#7"])).toEqual(answer);
  },
);

test.each(kinds)(
  "a service that says that it is not alive is ended ($thread)",
  async ({ thread }) => {
    const { events, call } = await setUp({ thread, checkEveryMs: 50, livenessFailures: 2 });
    await call("die");
    expect(await events.next("ServiceFailed")).toMatchObject({ cause: "liveness" });
  },
);

test("a message that the service does not take is refused with those that it takes", async () => {
  const { call } = await setUp({});
  await expect(call("constructor")).rejects.toMatchObject({
    code: "HAL_NOT_FOUND",
    message: expect.stringContaining("exit, fail, trouble"),
  });
});
