import { rulesOf } from "@halon/rules";
import flapping from "../../packages/rules/library/alert-on-flapping.rules.ts";
import escalation from "../../packages/rules/library/health-escalation.rules.ts";
import { golden, type Table } from "./golden.ts";

const on = { node: "a" };
const restart = {
  resetAfterMs: 1_000,
  backoffMs: 100,
  backoffMaxMs: 100,
  maxFailures: 100,
  windowMs: 60_000,
  configTries: 3,
};

const flaps: Table = {
  nodes: "a b",
  services: {
    web: { on: "every-node", manifest: { restart } },
    db: { on, manifest: { restart } },
  },
  files: { "alert-on-flapping": rulesOf(flapping).rules },
  of: "alert-on-flapping",
};
const often = ["fail web@a", 60_000, "fail web@a", 60_000, "fail web@a"];

golden("alert-on-flapping: a service that", flaps, [
  [
    "fails three times within ten minutes raises an alert",
    often,
    {
      fires: "serviceFlaps",
      tells: "AlertRaised service web@a warning",
      is: { "alert service web@a": "warning" },
    },
  ],
  [
    "fails twice raises none",
    ["fail web@a", 60_000, "fail web@a", 60_000],
    { fires: "", is: { "alert service web@a": "none" } },
  ],
  [
    "fails three times in a longer time raises none",
    ["fail web@a", 300_000, "fail web@a", 300_001, "fail web@a"],
    { fires: "" },
  ],
  [
    "fails here and there raises none",
    ["fail web@a", 1_000, "fail web@b", 1_000, "fail web@a", 1_000, "fail web@b"],
    { fires: "" },
  ],
  [
    "fails once each of several raises none",
    ["fail web@a", "fail web@b", "fail db@a"],
    { fires: "" },
  ],
  [
    "goes on failing raises it once",
    [...often, "watch", 1_000, "fail web@a", 1_000, "fail web@a", 1_000, "fail web@a"],
    { fires: "serviceFlaps", tells: "" },
  ],
  [
    "is quiet for ten minutes has it cleared",
    [...often, "watch", 600_001],
    {
      fires: "serviceIsCalm",
      tells: "AlertCleared service web@a",
      is: { "alert service web@a": "none" },
    },
  ],
  [
    "is quiet for almost ten minutes has it still",
    [...often, "watch", 600_000],
    { fires: "", is: { "alert service web@a": "warning" } },
  ],
  [
    "fails once more has it for longer",
    [...often, 500_000, "fail web@a", "watch", 500_000],
    { fires: "", is: { "alert service web@a": "warning" } },
  ],
  [
    "is restarted by a person is no failure",
    ["restart web a", "restart web a", "restart web a", "restart web a"],
    { fires: "" },
  ],
  [
    "turns bad and good three times raises another",
    ["warn web@a", "ok web@a", "ill web@a", "ok web@a", "warn web@a"],
    { fires: "healthFlaps", tells: "AlertRaised health web@a warning" },
  ],
  [
    "has the same health for ten minutes has that cleared",
    ["warn web@a", "ok web@a", "ill web@a", "ok web@a", "warn web@a", "watch", 600_001],
    { fires: "healthIsCalm", tells: "AlertCleared health web@a" },
  ],
]);

golden("alert-on-flapping: a node that", flaps, [
  [
    "is suspected three times raises an alert",
    ["suspect a", "trust a", 1_000, "suspect a", "trust a", 1_000, "suspect a"],
    { fires: "nodeFlaps", tells: "AlertRaised node a warning" },
  ],
  [
    "is suspected twice raises none",
    ["suspect a", "trust a", 1_000, "suspect a", "trust a"],
    { fires: "" },
  ],
  [
    "is quiet for ten minutes has it cleared",
    ["suspect a", "trust a", "suspect a", "trust a", "suspect a", "trust a", "watch", 600_001],
    { fires: "nodeIsCalm", tells: "AlertCleared node a" },
  ],
]);

golden(
  "alert-on-flapping: with other options",
  {
    ...flaps,
    files: {
      "alert-on-flapping": rulesOf(flapping, {
        failures: 2,
        within: "5s",
        quiet: "20s",
        severity: "critical",
      }).rules,
    },
  },
  [
    [
      "counts as often as they say",
      ["fail web@a", 5_000, "fail web@a"],
      { tells: "AlertRaised service web@a critical" },
    ],
    ["counts within the time that they say", ["fail web@a", 5_001, "fail web@a"], { tells: "" }],
    [
      "is calm after the time that they say",
      ["fail web@a", 1_000, "fail web@a", "watch", 20_001],
      { tells: "AlertCleared service web@a" },
    ],
  ],
);

const unwell: Table = {
  services: { web: { on } },
  files: { "health-escalation": rulesOf(escalation).rules },
  of: "health-escalation",
};

golden("health-escalation: a service that", unwell, [
  ["warns is given a minute", ["warn web@a", 59_999], { tells: "", is: { "alert web@a": "none" } }],
  [
    "warns for a minute raises a warning",
    ["warn web@a", 60_000],
    { tells: "AlertRaised web@a warning" },
  ],
  [
    "is well within a minute raises none",
    ["warn web@a", 30_000, "ok web@a", "watch", 600_000],
    { tells: "" },
  ],
  [
    "fails its check for five minutes raises a critical one",
    ["ill web@a", 60_000, "watch", 240_000],
    { tells: "AlertRaised web@a critical" },
  ],
  [
    "warns for ever raises no critical one",
    ["warn web@a", 3_600_000],
    { tells: "AlertRaised web@a warning" },
  ],
  [
    "warns, and then fails its check, is given five minutes from then",
    ["warn web@a", 200_000, "ill web@a", "watch", 299_999],
    { tells: "" },
  ],
  [
    "warns, and then fails its check for five minutes, raises a critical one",
    ["warn web@a", 200_000, "ill web@a", "watch", 300_000],
    { tells: "AlertRaised web@a critical" },
  ],
  [
    "fails its check, and then warns, raises no critical one",
    ["ill web@a", 200_000, "warn web@a", "watch", 600_000],
    { tells: "" },
  ],
  [
    "changes between bad and worse begins no new minute",
    ["warn web@a", 30_000, "ill web@a", "watch", 30_000],
    { tells: "AlertRaised web@a warning" },
  ],
  [
    "is well again has it cleared",
    ["warn web@a", 60_000, "watch", "ok web@a"],
    { fires: "turnsGood", tells: "AlertCleared web@a" },
  ],
  [
    "is restarted has it cleared",
    ["warn web@a", 60_000, "watch", "restart web"],
    { tells: "AlertCleared web@a", is: { "alert web@a": "none" } },
  ],
  ["is stopped raises none later", ["warn web@a", "stop web", "watch", 600_000], { tells: "" }],
  [
    "was never bad has nothing to clear",
    ["ok web@a", "restart web"],
    { fires: "", commands: "StopService web@a#1, StartService web@a#2" },
  ],
]);
