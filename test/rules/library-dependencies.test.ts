import { rulesOf } from "@halon/rules";
import dependencies from "../../packages/rules/library/dependency-restart.rules.ts";
import { golden, type Table } from "./golden.ts";
import type { ServiceOf } from "./stage.ts";

const on = { node: "a" };
/** Its first failure breaks it: it does not come back by itself. */
const restart = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 1,
  windowMs: 60_000,
  configTries: 3,
};
const dependent: ServiceOf = { on, after: ["db"], manifest: { restart } };

function cluster(options: Parameters<typeof rulesOf>[1] = {}, each: ServiceOf = dependent): Table {
  return {
    services: { db: { on }, other: { on }, s1: each, s2: each, s3: each, s4: each },
    files: { "dependency-restart": rulesOf(dependencies, options).rules },
    of: "dependency-restart",
  };
}

const three = ["fail s1@a", "fail s2@a", "fail s3@a"];
const restartDb = "StopService db@a#1, StartService db@a#2";
const recovered = "StartService s1@a#2, StartService s2@a#2, StartService s3@a#2";

golden("dependency-restart: services that depend on one", cluster(), [
  ["fail, three of them: that one is restarted, once", three, { commands: restartDb }],
  [
    "fail, three of them: one job is asked for",
    ["fail s1@a", "fail s2@a", "watch", "fail s3@a"],
    {
      fires: "fails recover recover",
      tells: "ServiceBroken s3@a, JobRequested, ServiceRestartRequested db@a",
    },
  ],
  ["fail, two of them: nothing is done", ["fail s1@a", "fail s2@a", 60_000], { commands: "" }],
  [
    "fail, one of them three times: nothing is done",
    ["fail s1@a", "start s1", "fail s1@a", "start s1", "watch", "fail s1@a"],
    { commands: "" },
  ],
  [
    "fail, three of them in a longer time: nothing is done",
    ["fail s1@a", 15_000, "fail s2@a", 15_001, "fail s3@a"],
    { commands: "" },
  ],
  [
    "fail, three of them in just that time: it is restarted",
    ["fail s1@a", 15_000, "fail s2@a", 15_000, "fail s3@a"],
    { commands: restartDb },
  ],
  ["fail, all of them: it is still one restart", [...three, "fail s4@a"], { commands: restartDb }],
  ["are restarted when it has run for a while", [...three, "watch", 4_999], { commands: "" }],
  [
    "are restarted then, those that failed",
    [...three, "watch", 5_000],
    { commands: recovered, is: { "s4@a#1": "running" } },
  ],
  ["are restarted once", [...three, 5_000, "watch", 600_000], { commands: "" }],
  [
    "are restarted, and that is the end of the job",
    [...three, "watch", 5_000],
    {
      tells:
        "ServiceRestartRequested s1@a, ServiceRestartRequested s2@a, ServiceRestartRequested s3@a, JobEnded db done",
    },
  ],
  [
    "are left alone when a person stopped them meanwhile",
    [...three, "stop s2", "watch", 5_000],
    { commands: "StartService s1@a#2, StartService s3@a#2", is: { "s2@a": "halted" } },
  ],
  [
    "fail soon again: it is not restarted a second time",
    [...three, 5_000, "watch", ...three],
    { commands: "" },
  ],
  [
    "fail much later again: it is",
    [...three, 600_000, "watch", ...three],
    { commands: "StopService db@a#2, StartService db@a#3" },
  ],
]);

golden("dependency-restart: what they depend on", cluster(), [
  [
    "has failed itself: it is waited for, not restarted",
    ["fail db@a", ...three, "watch", 126],
    { commands: "StartService db@a#2" },
  ],
  [
    "has failed itself: they are restarted when it is back",
    ["fail db@a", ...three, 126, "watch", 5_000],
    { commands: recovered },
  ],
  [
    "was stopped by a person: nothing is done",
    ["stop db", "watch", ...three, 60_000],
    { commands: "" },
  ],
  ["is in maintenance: nothing is done", ["maintain a", ...three, 60_000], { commands: "" }],
  [
    "fails while it settles: its next start is waited for",
    [...three, 1_000, "watch", "fail db@a", 126, 4_900],
    { commands: "StartService db@a#3" },
  ],
  [
    "fails while it settles: they are restarted after that",
    [...three, 1_000, "fail db@a", 126, "watch", 5_000],
    { commands: recovered },
  ],
  [
    "does not come back: people are told",
    ["hold db@a#2", ...three, 119_999, "watch", 1],
    { tells: "AlertRaised db critical, JobEnded db failed" },
  ],
  [
    "comes back after all: the alert is cleared",
    ["hold db@a#2", ...three, 120_000, "watch", "release db@a#2"],
    { is: { "alert db": "none", "db@a#3": "running" } },
  ],
]);

golden(
  "dependency-restart: who depends on whom",
  cluster({}, { on, manifest: { requires: ["db"], restart } }),
  [["is what a type requires, too", three, { commands: restartDb }]],
);

golden("dependency-restart: without dependencies", cluster({}, { on, manifest: { restart } }), [
  ["failures are those of each", three, { commands: "" }],
]);

golden(
  "dependency-restart: options",
  cluster({ services: 2, within: "5s", settle: "1s", causes: ["db"] }),
  [
    ["say how many", ["fail s1@a", "fail s2@a"], { commands: restartDb }],
    ["say within what time", ["fail s1@a", 5_001, "fail s2@a"], { commands: "" }],
    [
      "say when it has settled",
      ["fail s1@a", "fail s2@a", "watch", 1_000],
      { commands: "StartService s1@a#2, StartService s2@a#2" },
    ],
  ],
);

golden("dependency-restart: with other causes only", cluster({ causes: ["other"] }), [
  ["leaves this one alone", three, { commands: "" }],
]);
