import { expect, test } from "vitest";
import { type LeaseEffect, LeaseRenewals } from "./lease-renewals.ts";

const lease = { instance: "cron@node-1#1", token: 1, leaseMs: 2_000 };
const { instance } = lease;

function ask(renewals: LeaseRenewals, now: number, leased: readonly (typeof lease)[] = []): number {
  const effects = renewals.renew({ leader: "node-2", leased, now });
  const asked = effects.find((effect) => effect.type === "ask");
  if (asked === undefined) throw new Error("nothing was asked");
  return asked.ref;
}

const types = (effects: readonly LeaseEffect[]): readonly string[] =>
  effects.map(({ type }) => type);

test("a lease counts from its own question, in whatever order the answers come", () => {
  const renewals = new LeaseRenewals();
  const first = ask(renewals, 1_000, [lease]);
  const second = ask(renewals, 1_500, [lease]);
  expect(renewals.answered(second, [instance], 1_600)).toEqual([
    { type: "renewed", instance, untilMs: 3_500 },
  ]);
  expect(renewals.answered(first, [instance], 1_700)).toEqual([
    { type: "renewed", instance, untilMs: 3_000 },
  ]);
});

test("a start begins with half of its lease at least, else it asks for another", () => {
  const renewals = new LeaseRenewals();
  renewals.acquire(lease, 10_000);
  const slow = ask(renewals, 0);
  expect(types(renewals.answered(slow, [instance], 1_001))).toEqual(["renewed", "soon"]);
  const quick = ask(renewals, 1_001);
  expect(types(renewals.answered(quick, [instance], 2_001))).toEqual([
    "renewed",
    "disarm",
    "granted",
  ]);
});

test("what is granted after the start was given up starts nothing, and a second answer changes nothing", () => {
  const renewals = new LeaseRenewals();
  renewals.acquire(lease, 100);
  const ref = ask(renewals, 0);
  expect(types(renewals.due(instance))).toEqual(["disarm", "refused"]);
  expect(types(renewals.answered(ref, [instance], 120))).toEqual(["renewed"]);
  expect(renewals.answered(ref, [instance], 130)).toEqual([]);
});

test("six renewals are under way at most; each end makes room for another", () => {
  const renewals = new LeaseRenewals();
  const refs = [1, 2, 3, 4, 5, 6].map((now) => ask(renewals, now, [lease]));
  expect(renewals.renew({ leader: "node-2", leased: [lease], now: 7 })).toEqual([]);
  renewals.failed(refs[2] ?? 0);
  ask(renewals, 8, [lease]);
});

test("another wish for the same instance gives the first one up", () => {
  const renewals = new LeaseRenewals();
  renewals.acquire(lease, 100);
  expect(types(renewals.acquire({ ...lease, token: 2 }, 100))).toEqual([
    "disarm",
    "refused",
    "arm",
  ]);
});
