import { monotonicMs } from "@halon/service/host";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Renew, Renewed } from "./core/index.ts";
import { LeaseRenewer } from "./lease-renewer.ts";

const lease = { instance: "cron@a#1", token: 1, leaseMs: 60_000 };

interface Asked {
  readonly leader: string;
  readonly instances: readonly string[];
  /** The call was made no later than at this time. */
  readonly at: number;
  answer(granted: readonly string[]): void;
  fail(): void;
}

let asked: Asked[] = [];
let renewed: { readonly instance: string; readonly untilMs: number }[] = [];
let running: (typeof lease)[] = [];
let leader: string | undefined;
let renewer: LeaseRenewer;
let arrived: () => void = () => undefined;

beforeEach(() => {
  asked = [];
  renewed = [];
  running = [];
  leader = "leader";
  renewer = new LeaseRenewer({
    name: "a",
    system: {
      call: <T>(to: { readonly node?: string } | string, message: unknown) =>
        new Promise<T>((resolve, reject) => {
          const { asked: leases } = message as Renew;
          asked.push({
            leader: typeof to === "string" ? to : (to.node ?? ""),
            instances: leases.map(({ instance }) => instance),
            at: monotonicMs(),
            answer: (granted) => resolve({ granted } satisfies Renewed as T),
            fail: () => reject(new Error("it does not lead")),
          });
          arrived();
        }),
    },
    runtime: {
      leased: () => running,
      renew: (instance, untilMs) => void renewed.push({ instance, untilMs }),
    },
    log: { debug: () => undefined, warn: () => undefined },
    leader: () => leader,
  });
});

afterEach(() => renewer.close());

/** The renewal number `count` from 1 on; waits for it. */
async function renewal(count: number): Promise<Asked> {
  while (asked.length < count)
    await new Promise<void>((resolve) => {
      arrived = resolve;
    });
  const found = asked[count - 1];
  if (found === undefined) throw new Error("it was counted");
  return found;
}

test("a start waits for its lease, which counts from when it was asked for", async () => {
  const started = renewer.acquire(lease, 60_000);
  const first = await renewal(1);
  expect(first).toMatchObject({ leader: "leader", instances: [lease.instance] });
  expect(renewed).toEqual([]);
  first.answer([lease.instance]);
  await started;
  expect(renewed).toHaveLength(1);
  expect(renewed[0]?.untilMs).toBeLessThanOrEqual(first.at + lease.leaseMs);
});

test("a start whose lease the leader does not grant is refused", async () => {
  const started = renewer.acquire(lease, 60_000);
  (await renewal(1)).answer([]);
  await expect(started).rejects.toMatchObject({ code: "HAL_CONFLICT" });
  expect(renewed).toEqual([]);
});

test("a renewal that fails refuses no start: the next one decides", async () => {
  const started = renewer.acquire(lease, 60_000);
  (await renewal(1)).fail();
  (await renewal(2)).answer([lease.instance]);
  await started;
});

test("a start that got its lease too late to use it asks for another", async () => {
  const short = { ...lease, leaseMs: 400 };
  const started = renewer.acquire(short, 60_000);
  const first = await renewal(1);
  while (monotonicMs() < first.at + short.leaseMs)
    await new Promise((done) => setTimeout(done, 20));
  first.answer([short.instance]);
  let granted = false;
  const done = started.then(() => {
    granted = true;
  });
  for (let count = 2; !granted; count++) {
    (await renewal(count)).answer([short.instance]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  expect(asked.length).toBeGreaterThan(1);
});

test("a start ends without a lease at its deadline, and when it is given up", async () => {
  leader = undefined;
  await expect(renewer.acquire(lease, 10)).rejects.toMatchObject({ code: "HAL_CONFLICT" });
  const second = renewer.acquire(lease, 60_000);
  renewer.giveUp(lease.instance);
  await expect(second).rejects.toMatchObject({ code: "HAL_CONFLICT" });
  expect(asked).toEqual([]);
});

test("what runs is renewed again and again, all in one question, and what is not granted is not renewed", async () => {
  running = [lease, { ...lease, instance: "other@a#4", token: 9 }];
  const first = await renewal(1);
  expect(first.instances).toEqual([lease.instance, "other@a#4"]);
  first.answer(["other@a#4"]);
  await renewal(2);
  expect(renewed.map(({ instance }) => instance)).toEqual(["other@a#4"]);
});

test("nothing is asked without a leader; the next one is asked at once", async () => {
  leader = undefined;
  running = [lease];
  renewer.renewSoon();
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual([]);
  leader = "next";
  renewer.renewSoon();
  expect((await renewal(1)).leader).toBe("next");
});

test("renewals that nobody answers do not pile up", async () => {
  running = [lease];
  for (let times = 0; times < 50; times++) {
    renewer.renewSoon();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(asked.length).toBeLessThanOrEqual(6);
});
