import { createStage, type Stage, type StageOptions } from "@halon/sim";
import { describe, expect, test } from "vitest";

const tracking = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, slot) => `node-${slot + 1}`);

/** Tracking nodes and a satellite on which `web` runs. */
function serving(count: number, options: StageOptions = {}): Stage {
  const services = { web: { prefer: [`node-${count + 1}`] } };
  const stage = createStage({ tracking: count, satellites: 1, services, ...options });
  stage.ready();
  const names = Object.keys(options.services ?? services);
  stage.deploy(...names);
  stage.until(() => names.every((name) => stage.runs(name)));
  return stage;
}

/** Something that is asked for is done. */
function decides(stage: Stage): void {
  const asked = stage.restart("web");
  stage.until(() => stage.outcome(asked) === true, 20_000);
}

const follower = (stage: Stage): string =>
  stage.members().find((name) => name.startsWith("node-") && name !== stage.leader()) ?? "";

describe("a member that is added", () => {
  test("learns first and votes when it has caught up, and no service notices", () => {
    const stage = serving(3);
    const task = stage.addMember();
    stage.until(() => stage.members().some((name) => name.startsWith("+")));
    stage.until(() => task.end === "done");
    expect(stage.members()).toEqual([task.added, ...tracking(3)]);
    expect(stage.lives("web")).toHaveLength(1);
    decides(stage);
  });

  test("counts for majorities: with it four vote, and one of them may be away", () => {
    const stage = serving(3);
    const task = stage.addMember();
    stage.until(() => task.end === "done");
    stage.crashNode(follower(stage));
    decides(stage);
  });

  test("beside a single tracking node learns and does not vote: nothing on it could decide", () => {
    const stage = serving(1);
    const task = stage.addMember();
    stage.until(() => task.end === "learns");
    expect(stage.members()).toEqual([`+${task.added}`, "node-1"]);
    decides(stage);
  });

  test("is one of a change after another, each when the one before is committed", () => {
    const stage = serving(5);
    const tasks = [stage.addMember(), stage.addMember()];
    stage.until(() => tasks.every(({ end }) => end === "done"));
    expect(stage.members()).toHaveLength(7);
    const third = stage.addMember();
    stage.until(() => third.end === "learns");
  });

  test("while the leader is cut off waits for the one that the others elect", () => {
    const stage = serving(3);
    const deposed = stage.leader() ?? "";
    const join = stage.cut(deposed);
    stage.run(200);
    const task = stage.addMember();
    stage.until(() => stage.leader() !== deposed && stage.leader() !== null);
    stage.until(() => task.end === "done");
    join();
    stage.until(() => stage.node(deposed)?.state === "up");
    decides(stage);
  });

  test("whose leader dies in the middle is a member all the same, or is asked for again", () => {
    const stage = serving(3);
    const task = stage.addMember();
    stage.until(() => stage.members().some((name) => name.startsWith("+")));
    stage.crashNode(stage.leader() ?? "", 2_000);
    stage.until(() => task.end === "done");
    expect(stage.members()).toHaveLength(4);
    decides(stage);
  });
});

describe("a tracking node whose member is removed", () => {
  test("ends for good, is lost, and what ran on it moves", () => {
    const stage = serving(5, { services: { web: { prefer: ["node-2"] } } });
    expect(stage.runs("web", "node-2")).toBe(true);
    const task = stage.removeMember("node-2");
    stage.until(() => task.end === "done");
    expect(stage.members()).not.toContain("node-2");
    stage.until(() => stage.node("node-2")?.state === "down");
    stage.until(() => stage.runsOn("web").some((name) => name !== "node-2"));
    stage.always(() => !stage.isUp("node-2"), 5_000);
  });

  test("while it leads hands on: another decides, in a later epoch", () => {
    const stage = serving(5);
    const before = stage.epoch();
    const leader = stage.leader() ?? "";
    const task = stage.removeMember(leader);
    stage.until(() => task.end === "done");
    stage.until(() => stage.leader() !== null && stage.leader() !== leader);
    expect(stage.epoch()).toBeGreaterThan(before);
    decides(stage);
  });

  test("while it is away ends when it comes back and greets the others", () => {
    const stage = serving(5);
    const away = follower(stage);
    stage.crashNode(away, 8_000);
    const task = stage.removeMember(away);
    stage.until(() => task.end === "done");
    stage.until(() => stage.isUp(away));
    stage.until(() => !stage.isUp(away));
    stage.always(() => !stage.isUp(away), 5_000);
  });

  test("with an exclusive service gives it away when its lease is over", () => {
    const clock = { exclusive: true, prefer: ["node-3"] } as const;
    const stage = serving(5, { services: { web: {}, clock } });
    expect(stage.runs("clock", "node-3")).toBe(true);
    stage.removeMember("node-3");
    stage.until(() => stage.runsOn("clock").some((name) => name !== "node-3"), 60_000);
    const [first, next] = stage.lives("clock");
    expect(next?.token ?? 0).toBeGreaterThan(first?.token ?? 0);
    expect(first?.untilMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(next?.fromMs ?? 0);
  });

  test("is a tracking node in the graph for ever: it cannot be taken out", () => {
    const stage = serving(5);
    const task = stage.removeMember(follower(stage));
    stage.until(() => task.end === "done");
    const gone = tracking(5).find((name) => !stage.members().includes(name)) ?? "";
    stage.until(() => stage.node(gone)?.state === "down");
    const asked = stage.decommission(gone);
    stage.until(() => stage.outcome(asked) !== false);
    expect(stage.outcome(asked)).toContain(
      "is a tracking node, and only satellites can be removed",
    );
  });
});

describe("a removal", () => {
  test("that would leave two voters is not asked for", () => {
    const stage = serving(3);
    const task = stage.removeMember("node-2");
    stage.until(() => task.end === "refused");
    expect(stage.members()).toEqual(tracking(3));
  });

  test("that would leave no living majority is not asked for", () => {
    const stage = serving(5);
    const others = stage.members().filter((name) => name !== stage.leader());
    for (const name of others.slice(0, 2)) stage.crashNode(name);
    const task = stage.removeMember(others[2] ?? "");
    stage.until(() => task.end === "refused");
    decides(stage);
  });

  test("of what was added leaves the tracking nodes as they were", () => {
    const stage = serving(3);
    const added = stage.addMember();
    stage.until(() => added.end === "done");
    const task = stage.removeMember(added.added ?? "");
    stage.until(() => task.end === "done");
    expect(stage.members()).toEqual(tracking(3));
    decides(stage);
  });
});

describe("a member that takes the place of another", () => {
  test("votes before that one goes, so that three vote all along", () => {
    const stage = serving(3);
    const replaced = follower(stage);
    const task = stage.replaceMember(replaced);
    stage.always(() => {
      const voters = stage.members().filter((name) => !name.startsWith("+"));
      return voters.length >= 3 || voters.length === 0;
    }, 10_000);
    expect(task.end).toBe("done");
    expect(stage.members()).not.toContain(replaced);
    expect(stage.members()).toContain(task.added);
    decides(stage);
  });

  test("takes the place of the one that leads", () => {
    const stage = serving(3);
    const leader = stage.leader() ?? "";
    const task = stage.replaceMember(leader);
    stage.until(() => task.end === "done");
    stage.until(() => stage.leader() !== null && stage.leader() !== leader);
    decides(stage);
  });

  test("and is elected decides nothing: a person hands the lead to a tracking node", () => {
    const stage = serving(3);
    const task = stage.replaceMember(follower(stage));
    stage.until(() => task.end === "done");
    let hasLed = false;
    for (let crashes = 0; crashes < 12 && !hasLed; crashes += 1) {
      stage.crashNode(stage.leader() ?? "", 3_000);
      stage.until(() => stage.leader() !== null || stage.leadingMember() === task.added);
      hasLed = stage.leadingMember() === task.added;
      stage.until(() => stage.leader() !== null);
      stage.ready();
    }
    expect(hasLed).toBe(true);
    decides(stage);
  });
});
