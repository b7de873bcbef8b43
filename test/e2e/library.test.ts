import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  field,
  halonctl,
  ownServices,
  project,
  startCluster,
  status,
  temporaryDirectory,
  waitFor,
} from "./cluster.ts";
import { workerService } from "./services.ts";

afterEach(cleanUp);

const cluster = `import { defineCluster } from "@halon/service";
export default defineCluster({
  services: [{ type: "./web.service.ts", replicas: 2 }],
  rules: [{ file: "halon:rolling-restart", options: { steady: "200ms", checkEvery: "200ms" } }],
});
`;

test("a rule file of the library restarts a service place by place, and a person moves one of its instances", async () => {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), {
    "cluster.ts": cluster,
    "web.service.ts": workerService("web"),
  });
  const { endpoint } = await startCluster(join(directory, "data"));
  await ctl(endpoint, "apply", "-f", file);
  const places = async () => ownServices(await status(endpoint)).map(({ node }) => node);
  const [one = "", other = ""] = await places();

  const request = { rule: "rolling-restart/roll", data: { service: "web" } };
  await ctl(endpoint, "event", "emit", "JobRequested", JSON.stringify(request));
  const ended = await waitFor("the job to end", async () => {
    const [found] = await events(endpoint, "JobEnded");
    return found;
  });
  expect(field(ended, "outcome")).toBe("done");
  expect(field(ended, "output")).toEqual({ restarted: [one, other].sort() });
  const restarted = await events(endpoint, "ServiceStopped");
  expect(restarted.map((entry) => field(entry, "node")).sort()).toEqual([one, other].sort());

  await ctl(endpoint, "service", "move", "web", "--from", one);
  const now = await places();
  expect([now.includes(one), now.includes(other), now.length]).toEqual([false, true, 2]);
  const back = await halonctl(endpoint, "service", "move", "web", "--from", one);
  expect([back.code, back.stderr]).toEqual([1, expect.stringContaining(one)]);
});
