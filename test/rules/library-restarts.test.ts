import { rulesOf } from "@halon/rules";
import quarantine from "../../packages/rules/library/quarantine-node.rules.ts";
import policy from "../../packages/rules/library/restart-policy.rules.ts";
import { golden, type Table } from "./golden.ts";

const on = { node: "a" };
const restarted = "ServiceRestartRequested web@a";
const thrice = ["warn web@a", "ok web@a", "warn web@a", "ok web@a", "warn web@a"];

const services = { web: { on }, db: { on }, log: { on } };
const groups = { front: { services: ["web", "db"], failures: 2, within: "1m" } };
const warnings: Table = {
  services,
  files: { "restart-policy": rulesOf(policy, { within: "1m" }).rules },
  of: "restart-policy",
};

golden("restart-policy: an instance that", warnings, [
  [
    "begins to warn three times within a minute is restarted",
    thrice,
    {
      fires: "warnsOften",
      tells: restarted,
      commands: "StopService web@a#1, StartService web@a#2",
    },
  ],
  [
    "begins to warn twice is not",
    ["warn web@a", "ok web@a", "warn web@a"],
    { fires: "", commands: "" },
  ],
  [
    "begins to warn three times in a longer time is not",
    ["warn web@a", 30_000, "ok web@a", "warn web@a", 30_001, "ok web@a", "warn web@a"],
    { fires: "" },
  ],
  [
    "fails its check as often is restarted",
    ["ill web@a", "ok web@a", "warn web@a", "ok web@a", "ill web@a"],
    { fires: "warnsOften" },
  ],
  [
    "was restarted is counted anew",
    ["warn web@a", "ok web@a", "warn web@a", "restart web", "watch", "warn web@a"],
    { fires: "" },
  ],
  ["shares nothing with another service", ["warn web@a", "warn db@a", "warn log@a"], { fires: "" }],
  [
    "does not get well for five minutes is restarted",
    ["warn web@a", "watch", 300_001],
    { fires: "warnsLong", tells: restarted, commands: "StopService web@a#1, StartService web@a#2" },
  ],
  ["does not get well for almost so long is not", ["warn web@a", 300_000], { fires: "" }],
  ["gets well in time is not", ["warn web@a", 200_000, "ok web@a", 600_000], { fires: "" }],
  [
    "gets worse begins its time anew",
    ["warn web@a", 200_000, "ill web@a", "watch", 299_999],
    { fires: "" },
  ],
  [
    "was stopped by a person stays so",
    ["warn web@a", "stop web", "watch", 600_000],
    { fires: "", commands: "" },
  ],
  [
    "is in maintenance is left alone",
    ["maintain a", ...thrice, 600_000],
    { fires: "", commands: "" },
  ],
  [
    "has broken meanwhile is left alone",
    ["warn web@a", "fail web@a", "watch", 600_000],
    { fires: "" },
  ],
]);

golden(
  "restart-policy: with some services only",
  {
    ...warnings,
    files: { "restart-policy": rulesOf(policy, { services: ["db"], warnings: 1 }).rules },
  },
  [
    [
      "restarts those",
      ["warn db@a"],
      { fires: "warnsOften", tells: "ServiceRestartRequested db@a" },
    ],
    ["restarts no others", ["warn web@a", 600_000], { fires: "" }],
  ],
);

const twice = {
  ...warnings,
  files: { "restart-policy": rulesOf(policy, { warnings: 1, atMost: 2 }).rules },
};
const spent = ["warn web@a", 1_000, "warn web@a", "watch", "warn web@a"];

golden("restart-policy: when its restarts are spent", twice, [
  ["people are told instead", spent, { commands: "", tells: "AlertRaised web@a warning" }],
  [
    "the alert is cleared when the service gets well",
    [...spent, "ok web@a"],
    { is: { "alert web@a": "none" } },
  ],
  [
    "the alert is cleared when a person restarts it",
    [...spent, "watch", "restart web"],
    { tells: "AlertCleared web@a", is: { "alert web@a": "none" } },
  ],
  [
    "other services have theirs",
    [...spent, "watch", "warn db@a"],
    { tells: "ServiceRestartRequested db@a" },
  ],
  [
    "there are more when the time has passed",
    [...spent, "ok web@a", 3_600_000, "watch", "warn web@a"],
    { tells: restarted },
  ],
]);

golden(
  "restart-policy: a group of which one",
  { ...warnings, files: { "restart-policy": rulesOf(policy, { groups }).rules } },
  [
    [
      "fails twice restarts the others",
      ["fail web@a", 130, "watch", "fail web@a"],
      {
        fires: "group-front",
        tells: "ServiceRestartRequested db@a",
        commands: "StopService db@a#1, StartService db@a#2",
      },
    ],
    ["fails once restarts none", ["fail web@a", 130], { fires: "" }],
    ["fails once each restarts none", ["fail web@a", 130, "fail db@a", 130], { fires: "" }],
    [
      "is any of them",
      ["fail db@a", 130, "watch", "fail db@a"],
      { tells: "ServiceRestartRequested web@a" },
    ],
    [
      "fails twice in a longer time restarts none",
      ["fail web@a", 60_001, "fail web@a"],
      { fires: "" },
    ],
    [
      "fails twice leaves to its own policy",
      ["fail web@a", 130, "fail web@a", "watch", 260],
      { fires: "", commands: "StartService web@a#3" },
    ],
    [
      "fails twice leaves alone what a person stopped",
      ["stop db", "fail web@a", 130, "watch", "fail web@a"],
      { tells: "", is: { "db@a": "halted" } },
    ],
    [
      "fails four times restarts the others twice",
      ["fail web@a", 130, "fail web@a", 260, "watch", "fail web@a", 510, "fail web@a"],
      {
        fires: "group-front",
        commands: "StartService web@a#4, StopService db@a#2, StartService db@a#3",
      },
    ],
    ["is not in it restarts none", ["fail log@a", 130, "fail log@a"], { fires: "" }],
  ],
);

const fragile = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 1,
  windowMs: 60_000,
  configTries: 3,
};
const each = { on: "every-node", manifest: { restart: fragile } } as const;
const fragiles = { s1: each, s2: each, s3: each, s4: each, calm: { prefer: ["a"] } };
const three = ["fail s1@a", "fail s2@a", "fail s3@a"];

function quarantined(options: Parameters<typeof rulesOf>[1] = {}): Table {
  return {
    nodes: "a b c",
    services: fragiles,
    files: { "quarantine-node": rulesOf(quarantine, options).rules },
    of: "quarantine-node",
  };
}

golden("quarantine-node: a node on which", quarantined(), [
  [
    "three services broke is drained",
    three,
    { is: { a: "up draining", "alert node a": "critical", "calm@b": "wanted" } },
  ],
  [
    "three services broke is drained by one request, with one alert",
    ["fail s1@a", "fail s2@a", "watch", "fail s3@a"],
    {
      tells:
        "ServiceBroken s3@a, NodeDrainRequested a, AlertRaised node a critical, ServiceMoved calm a>b",
    },
  ],
  [
    "two services broke is kept",
    ["fail s1@a", "fail s2@a"],
    { is: { a: "up", "alert node a": "none" } },
  ],
  [
    "one service broke three times is kept",
    ["fail s1@a", "start s1 a", "fail s1@a", "start s1 a", "fail s1@a"],
    { is: { a: "up" } },
  ],
  [
    "three services broke in a longer time is kept",
    ["fail s1@a", 300_000, "fail s2@a", 300_001, "fail s3@a"],
    { is: { a: "up" } },
  ],
  [
    "three services failed, but broke not, is kept",
    ["fail s1@a 10000", "fail s2@a 10000", "fail s3@a 10000"],
    { fires: "" },
  ],
  [
    "some broke, and others elsewhere, is kept",
    ["fail s1@a", "fail s2@b", "fail s3@c"],
    { is: { a: "up", b: "up", c: "up" } },
  ],
  [
    "a person works is left alone",
    ["maintain a", ...three],
    { fires: "", is: { a: "up maintenance" } },
  ],
]);

golden("quarantine-node: a node in quarantine", quarantined(), [
  [
    "is released when a person resumes it",
    [...three, "watch", "resume a"],
    { fires: "resumed", is: { a: "up", "alert node a": "none" } },
  ],
  [
    "is counted anew after that",
    [...three, "resume a", 1_000, "watch", "fail s1@a"],
    { is: { a: "up" } },
  ],
  [
    "stays in it when it is drained once more",
    [...three, "watch", "drain a"],
    { fires: "", is: { "alert node a": "critical" } },
  ],
  [
    "is released when a person takes it into maintenance",
    [...three, "watch", "maintain a"],
    { fires: "outOfMaintenance", is: { a: "up maintenance", "alert node a": "none" } },
  ],
  [
    "is released when it is removed",
    [...three, "watch", "remove a"],
    { fires: "removed", is: { a: "down decommissioned", "alert node a": "none" } },
  ],
  [
    "is the only one: of the next people are told",
    [...three, "watch", "fail s1@b", "fail s2@b", "fail s3@b"],
    { is: { b: "up", "alert node b": "none", "alert suspect b": "critical" } },
  ],
  [
    "makes room when it is released",
    [...three, "resume a", "fail s1@b", "fail s2@b", "fail s3@b"],
    { is: { b: "up draining", "alert node b": "critical" } },
  ],
]);

golden(
  "quarantine-node: by maintenance",
  quarantined({ by: "maintenance", services: 2, atMost: 2 }),
  [
    [
      "keeps what runs there",
      ["fail s1@a", "fail s2@a"],
      { is: { a: "up maintenance", "calm@a": "wanted", "calm@a#1": "running" } },
    ],
    [
      "is over when a person ends the maintenance",
      ["fail s1@a", "fail s2@a", "watch", "unmaintain a"],
      { fires: "outOfMaintenance", is: { a: "up", "alert node a": "none" } },
    ],
    [
      "is of as many nodes as the option says",
      ["fail s1@a", "fail s2@a", "fail s1@b", "fail s2@b", "fail s1@c", "fail s2@c"],
      { is: { a: "up maintenance", b: "up maintenance", c: "up", "alert suspect c": "critical" } },
    ],
  ],
);
