import { DecisionCore, LeaseGrants } from "@halon/coordinator/core";
import { CommandIntake } from "@halon/node/core";
import { expect, test } from "vitest";
import { Prng } from "../prng.ts";
import { run } from "../run.ts";
import { SetupDisk } from "./bootstrap-disk.ts";
import { clusterPlanOf } from "./plan.ts";

const seedsMax = 8;

/** The rule that the first broken run of a few seeds breaks; null when none does. */
function ruleBroken(tracking: number | null): string | null {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const scenario = clusterPlanOf(seed, { tracking, satellites: 2, seconds: 30 });
    const { violation } = run(scenario);
    if (violation !== null) return violation.invariant;
  }
  return null;
}

/** The rule that is broken while the core has this method in place of its own. */
function ruleBrokenBy<T extends object, K extends keyof T>(
  core: T,
  name: K,
  wrong: (own: T[K]) => T[K],
  tracking: number | null = null,
): string | null {
  const own = core[name];
  core[name] = wrong(own);
  try {
    return ruleBroken(tracking);
  } finally {
    core[name] = own;
  }
}

/** The rule that the first broken run of nodes that do not know each other breaks. */
function ruleBrokenInBeginning(): string | null {
  for (let seed = 1; seed <= 100; seed++) {
    const scenario = clusterPlanOf(seed, { tracking: 3, satellites: 1, seconds: 10 });
    if (scenario.settings.cluster?.bootstrap === undefined) continue;
    const { violation } = run(scenario);
    if (violation !== null) return violation.invariant;
  }
  return null;
}

test("finds a setup that is not on the disk when others are told of it", () => {
  const own = SetupDisk.prototype.done;
  SetupDisk.prototype.done = function done(this: SetupDisk) {
    // The new name is never synced: the next start sees the old one.
    this.losePower("lost", new Prng(1, "planted"));
  };
  try {
    expect(ruleBrokenInBeginning()).toBe("C20");
  } finally {
    SetupDisk.prototype.done = own;
  }
});

test("finds a node that begins a command whenever it comes", { timeout: 120_000 }, () => {
  const begins = () => ({ type: "begin" }) as const;
  expect(ruleBrokenBy(CommandIntake.prototype, "take", () => begins)).toBe("C3");
});

test("finds leases of lost nodes that count as over", { timeout: 120_000 }, () => {
  const longAgo = () => 60_000;
  expect(ruleBrokenBy(LeaseGrants.prototype, "losing", () => longAgo, 3)).toBe("C5");
});

test("finds commands that are sent before their record is durable", { timeout: 120_000 }, () => {
  const early = (own: DecisionCore["decide"]) =>
    function decide(this: DecisionCore, ...times: Parameters<DecisionCore["decide"]>) {
      const effects: ReturnType<DecisionCore["decide"]> = own.apply(this, times);
      return effects.flatMap((effect): ReturnType<DecisionCore["decide"]> => {
        if (effect.type !== "append") return [effect];
        return [{ type: "send", commands: effect.commands }, effect];
      });
    };
  expect(ruleBrokenBy(DecisionCore.prototype, "decide", early)).toBe("C3");
});
