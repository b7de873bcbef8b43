import type { CoordinatorNews, Suspect } from "@halon/coordinator";
import { HalonError } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { coordinatorHost, silent, until } from "../testing.ts";
import { RecoverySupervisor } from "./supervisor.ts";

const open: RecoverySupervisor[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** A thread that was started: ends as it is told. */
interface Thread {
  readonly suspects: readonly Suspect[];
  readonly hear: (news: CoordinatorNews) => void;
  isStopped: boolean;
  end(error: HalonError): void;
}

/** Threads that are standbys until they are ended; `fails` gives the error of a start, by its number from 1. */
function station(fails: (start: number) => HalonError | undefined = () => undefined) {
  const threads: Thread[] = [];
  const heard: CoordinatorNews[] = [];
  let handOvers = 0;
  const supervisor = new RecoverySupervisor({
    log: silent,
    start: async (suspects, hear) => {
      const { host, thread } = threadOf(suspects, hear);
      threads.push(thread);
      const error = fails(threads.length);
      if (error !== undefined) throw error;
      return host;
    },
    hear: (news) => heard.push(news),
    ended: () => undefined,
    handOver: async () => {
      handOvers += 1;
    },
  });
  open.push(supervisor);
  return { supervisor, threads, heard, handOvers: () => handOvers };
}

function threadOf(suspects: readonly Suspect[], hear: Thread["hear"]) {
  let reject: (error: HalonError) => void = () => undefined;
  const ended = new Promise<void>((_, refuse) => {
    reject = refuse;
  });
  ended.catch(() => undefined);
  const thread: Thread = { suspects, hear, isStopped: false, end: (error) => reject(error) };
  const host = coordinatorHost({
    ended,
    stop: async () => {
      thread.isStopped = true;
    },
  });
  return { host, thread };
}

const crash = new HalonError("HAL_INTERNAL", "it crashed");
const warning: CoordinatorNews = { type: "warning", text: "late" };

test("whatever ends a thread, another one follows, and news of the old one is none", async () => {
  const { supervisor, threads, heard } = station();
  await supervisor.start();
  threads[0]?.hear(warning);
  threads[0]?.end(new HalonError("HAL_NO_LEADER", "deposed"));
  await until("the second thread", () => threads.length === 2);
  threads[0]?.hear(warning);
  expect(heard).toEqual([warning]);
  expect(supervisor.status).toMatchObject({ restarts: 1, reason: "deposed" });
});

test("a rule file that hung is left out from then on, also when it hangs while it is loaded", async () => {
  const suspect = (blob: string) =>
    new HalonError("HAL_FAILED", "it hung", { details: { suspect: { blob, reason: "slow" } } });
  const { supervisor, threads } = station((start) => (start === 1 ? suspect("a") : undefined));
  await supervisor.start();
  threads[1]?.end(suspect("b"));
  await until("the third thread", () => threads.length === 3);
  expect(threads.map(({ suspects }) => suspects.map(({ blob }) => blob))).toEqual([
    [],
    ["a"],
    ["a", "b"],
  ]);
});

test("two crashes within a minute ask for another leader", async () => {
  const { supervisor, threads, handOvers } = station();
  await supervisor.start();
  threads[0]?.end(crash);
  await until("the second thread", () => threads.length === 2);
  expect(handOvers()).toBe(0);
  threads[1]?.end(crash);
  await until("the request", () => handOvers() === 1);
});

test("a start on a disk that is not this node's ends; any other failure is tried again", async () => {
  const foreign = station(() => new HalonError("HAL_DATA_DIR_INVALID", "of another cluster"));
  await expect(foreign.supervisor.start()).rejects.toMatchObject({ code: "HAL_DATA_DIR_INVALID" });
  const late = station((start) => (start < 3 ? crash : undefined));
  await late.supervisor.start();
  expect(late.threads).toHaveLength(3);
});

test("closed, it stops its thread and starts none", async () => {
  const { supervisor, threads } = station();
  await supervisor.start();
  await supervisor.close();
  threads[0]?.end(crash);
  await new Promise((resolve) => setImmediate(resolve));
  expect(threads.map(({ isStopped }) => isStopped)).toEqual([true]);
});
