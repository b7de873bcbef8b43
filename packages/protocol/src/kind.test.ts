import { describe, expect, test } from "vitest";
import { builtInKinds, Placement, ResourceKindName, RestartPolicy } from "./kind.ts";

describe("RestartPolicy", () => {
  test("without settings it is the policy of RFC 0002", () => {
    expect(RestartPolicy.parse({})).toEqual({
      resetAfterMs: 10_000,
      backoffMs: 100,
      backoffMaxMs: 30_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    });
  });

  test("a setting keeps the other defaults", () => {
    expect(RestartPolicy.parse({ maxFailures: 2 })).toMatchObject({
      maxFailures: 2,
      windowMs: 60_000,
    });
  });

  test.each([{ maxFailures: 0 }, { backoffMs: 0 }, { windowMs: 1.5 }, { retries: 3 }])(
    "refuses %j",
    (policy) => {
      expect(RestartPolicy.safeParse(policy).success).toBe(false);
    },
  );
});

test("every built-in kind is a name that a kind may have", () => {
  for (const kind of Object.keys(builtInKinds)) expect(ResourceKindName.parse(kind)).toBe(kind);
});

test.each(["tcpPort", "", "Tcp-Port", "Tcp/Port", "0Port"])("%j is no name of a kind", (kind) => {
  expect(ResourceKindName.safeParse(kind).success).toBe(false);
});

test.each([
  { placement: "every-node", accepted: true },
  { placement: "any-node", accepted: true },
  { placement: { label: "zone=a" }, accepted: true },
  { placement: { label: "zone=" }, accepted: true },
  { placement: { node: "node-1" }, accepted: true },
  { placement: { label: "zone" }, accepted: false },
  { placement: { node: "node-1", label: "zone=a" }, accepted: false },
  { placement: "some-node", accepted: false },
])("placement $placement is accepted: $accepted", ({ placement, accepted }) => {
  expect(Placement.safeParse(placement).success).toBe(accepted);
});
