import { expect, test } from "vitest";
import { createStage } from "./stage.ts";

test("what is deployed runs, fails, and runs again by a decision that can be looked at", () => {
  const stage = createStage({ satellites: 1, services: { web: {} } });
  stage.ready();
  const deployed = stage.deploy("web");
  stage.until(() => stage.runs("web"));
  const [on] = stage.runsOn("web");
  stage.crashService("web");
  stage.until(() => !stage.runs("web"));
  stage.until(() => stage.runs("web", on));
  stage.until(() => stage.outcome(deployed) === true);
  expect(stage.events("ServiceFailed")).toHaveLength(1);
});

test("equal stages that are driven alike do the same", () => {
  const play = (): readonly string[] => {
    const stage = createStage({ services: { web: {} } });
    stage.ready();
    stage.deploy("web");
    stage.run(2_000);
    return stage.transcript();
  };
  expect(play()).toEqual(play());
});

test("what does not come is said with what happened last", () => {
  const stage = createStage({ tracking: 1 });
  expect(() => stage.until(() => stage.leader() === "node-2", 1_000)).toThrow(/not within 1000 ms/);
});
