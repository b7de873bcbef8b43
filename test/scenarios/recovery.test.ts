import { createStage } from "@halon/sim";
import { expect, test } from "vitest";

test("a service that fails is started again where it ran, by one decision", () => {
  const stage = createStage({ satellites: 1, services: { web: {} } });
  stage.ready();
  stage.deploy("web");
  stage.until(() => stage.runs("web"));
  const [on] = stage.runsOn("web");
  stage.crashService("web");
  stage.until(() => !stage.runs("web"));
  stage.until(() => stage.runs("web", on));
  expect(stage.fired("restart-failed")).toHaveLength(1);
});
