import { hashLike } from "../../packages/coordinator/testdata/samples.ts";
import { golden, type Table } from "./golden.ts";
import { configured, type ServiceOf } from "./stage.ts";

const policy = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 5,
  windowMs: 60_000,
  configTries: 3,
};
const on = { node: "a" };

function withPolicy(changed: Partial<typeof policy>): Table {
  return { services: { web: { on, manifest: { restart: { ...policy, ...changed } } } } };
}

const usual = withPolicy({});

golden("a failure of a service", usual, [
  [
    "is waited out for three quarters of the back-off at least",
    ["fail web@a", 74],
    { fires: "restart-failed", commands: "" },
  ],
  [
    "is waited out for five quarters of the back-off at most",
    ["fail web@a", 126],
    { commands: "StartService web@a#2", is: { "web@a#2": "running" } },
  ],
  [
    "after another is waited out for twice as long, at least",
    ["fail web@a", 126, "watch", "fail web@a", 149],
    { commands: "" },
  ],
  [
    "after another is waited out for twice as long, at most",
    ["fail web@a", 126, "watch", "fail web@a", 251],
    { commands: "StartService web@a#3" },
  ],
  [
    "after two others is waited out for four times as long, at least",
    ["fail web@a", 126, "fail web@a", 251, "watch", "fail web@a", 299],
    { commands: "" },
  ],
  [
    "of what was well for long starts it at once",
    ["fail web@a 10000"],
    { fires: "restart-failed service-started", commands: "StartService web@a#2" },
  ],
  ["of what was well for almost so long does not", ["fail web@a 9999"], { commands: "" }],
  [
    "that is the fifth within the window breaks it",
    [
      "fail web@a",
      126,
      "fail web@a",
      251,
      "fail web@a",
      501,
      "fail web@a",
      1_001,
      "watch",
      "fail web@a",
    ],
    {
      fires: "restart-failed",
      tells: "ServiceBroken web@a",
      is: { "web@a": "broken", "web@a#5": "broken" },
    },
  ],
  [
    "that broke it is followed by nothing",
    [
      "fail web@a",
      126,
      "fail web@a",
      251,
      "fail web@a",
      501,
      "fail web@a",
      1_001,
      "fail web@a",
      "watch",
      600_000,
    ],
    { commands: "" },
  ],
  [
    "of what was well for long never breaks it",
    [
      "fail web@a 10000",
      "fail web@a 10000",
      "fail web@a 10000",
      "fail web@a 10000",
      "fail web@a 10000",
      "fail web@a 10000",
    ],
    { is: { "web@a": "wanted", "web@a#7": "running" } },
  ],
  [
    "that is told a second time is no second one",
    [
      "fail web@a",
      "watch",
      (stage) =>
        stage.report("a", "ServiceFailed", {
          service: "web",
          instance: "web@a#1",
          reason: "again",
          healthyMs: 0,
        }),
      126,
    ],
    { fires: "restart-due service-started", commands: "StartService web@a#2" },
  ],
  [
    "of an instance of the past is ignored",
    [
      126,
      (stage) =>
        stage.tell("web@a", "ServiceFailed", { instance: "web@a#0", reason: "late", healthyMs: 0 }),
    ],
    { fires: "", commands: "" },
  ],
]);

golden("a failure that counts", withPolicy({ maxFailures: 2, windowMs: 5_000 }), [
  [
    "counts until the window is over",
    ["fail web@a", 4_999, "watch", "fail web@a"],
    { tells: "ServiceBroken web@a" },
  ],
  [
    "counts no more when it is",
    ["fail web@a", 5_000, "watch", "fail web@a"],
    { tells: "", is: { "web@a": "wanted" } },
  ],
  [
    "is not forgotten for one that does not count",
    ["fail web@a", 200, "fail web@a 10000", "watch", "fail web@a"],
    { tells: "ServiceBroken web@a" },
  ],
  [
    "is forgotten when a person starts the service",
    ["fail web@a", 200, "start web", "watch", "fail web@a"],
    { tells: "", is: { "web@a": "wanted" } },
  ],
  [
    "is forgotten when a person restarts it",
    ["fail web@a", 200, "restart web", "watch", "fail web@a"],
    { tells: "", is: { "web@a": "wanted" } },
  ],
]);

golden("a service whose first failure breaks it", withPolicy({ maxFailures: 1 }), [
  [
    "is broken at once",
    ["fail web@a"],
    { fires: "restart-failed", tells: "ServiceBroken web@a", commands: "" },
  ],
  [
    "is not broken by the failure of what was well for long",
    ["fail web@a 10000"],
    { tells: "", commands: "StartService web@a#2" },
  ],
  [
    "stays broken when its node comes back",
    ["fail web@a", "reboot a"],
    { is: { "web@a": "broken" } },
  ],
]);

golden("a wait that has a bound", withPolicy({ backoffMaxMs: 100 }), [
  [
    "never gets longer",
    ["fail web@a", 101, "fail web@a", 101, "fail web@a", 101],
    { commands: "StartService web@a#2, StartService web@a#3, StartService web@a#4" },
  ],
]);

golden("a start that", usual, [
  [
    "does not succeed is a failure",
    ["hold web@a#2", "restart web", "watch", "fail web@a"],
    { fires: "service-could-not-start", is: { "web@a#2": "failed" } },
  ],
  [
    "does not succeed is tried again",
    ["hold web@a#2", "restart web", "watch", "fail web@a", 126],
    { commands: "StartService web@a#3" },
  ],
  [
    "is told a second time changes nothing",
    [
      "watch",
      (stage) =>
        stage.tell("web@a", "ServiceStarted", {
          configuration: stage.running("web@a").running.configHash,
        }),
    ],
    { commands: "", is: { "web@a#1": "running" } },
  ],
  [
    "nobody knows of is stopped",
    [
      "watch",
      (stage) =>
        stage.tell("web@a", "ServiceStarted", {
          instance: "web@a#9",
          configuration: hashLike("{}"),
        }),
    ],
    { fires: "service-started", commands: "StopService web@a#9" },
  ],
]);

golden("an end while it", usual, [
  [
    "is being stopped is an end like any other",
    ["hold web@a#1", "stop web", "watch", "fail web@a", 60_000],
    { commands: "", is: { "web@a": "halted", "web@a#1": "stopped" } },
  ],
  [
    "is being restarted starts it at once",
    ["hold web@a#1", "restart web", "watch", "fail web@a"],
    { commands: "StartService web@a#2" },
  ],
  [
    "is in maintenance is left alone",
    ["maintain a", "watch", "fail web@a", 60_000],
    { commands: "", tells: "", is: { "web@a#1": "failed" } },
  ],
  [
    "was in maintenance is made good after it",
    ["maintain a", "fail web@a", 60_000, "watch", "unmaintain a"],
    { commands: "StartService web@a#2" },
  ],
  [
    "says that its work is done is no failure",
    ["exit web@a", 60_000],
    { commands: "", is: { "web@a": "halted", "web@a#1": "stopped" } },
  ],
  [
    "says that its work is done can be started again",
    ["exit web@a", "watch", "start web"],
    { commands: "StartService web@a#2" },
  ],
  [
    "says that its work is done while being restarted starts it",
    ["hold web@a#1", "restart web", "watch", "exit web@a"],
    { commands: "StartService web@a#2" },
  ],
]);

golden("a check that", usual, [
  [
    "warns makes it degraded, and no more",
    ["warn web@a", 60_000],
    { fires: "service-health", commands: "", is: { "web@a#1": "degraded" } },
  ],
  [
    "fails makes it degraded, and no more",
    ["ill web@a", 60_000],
    { fires: "service-health", commands: "", is: { "web@a#1": "degraded" } },
  ],
  ["is ok again makes it well", ["ill web@a", "ok web@a"], { is: { "web@a#1": "running" } }],
  [
    "of what is being stopped says nothing",
    ["hold web@a#1", "stop web", "watch", "ill web@a"],
    { fires: "", is: { "web@a#1": "stopping" } },
  ],
]);

const web: ServiceOf = { on };
const newer: ServiceOf = { on, manifest: { version: "1.0.1" } };

golden("a cluster file that", usual, [
  [
    "says the same as before changes nothing that runs",
    [(stage) => stage.apply({ web }), 1_000],
    { commands: "", is: { operation: "done" } },
  ],
  [
    "has new code restarts it",
    [(stage) => stage.apply({ web: newer })],
    { commands: "StopService web@a#1, StartService web@a#2" },
  ],
  [
    "has new code leaves alone what a person stopped",
    ["stop web", "watch", (stage) => stage.apply({ web: newer })],
    { commands: "", is: { "web@a": "halted" } },
  ],
  [
    "has a new configuration gives it that",
    ["watch", (stage) => stage.apply({ web: { on, ...configured({ port: 2 }) } })],
    { commands: "ReconfigureService web@a#1" },
  ],
  [
    "has a new configuration restarts what cannot take it",
    [
      (stage) => void stage.cluster.node("a").stiff.push("web"),
      "watch",
      (stage) => stage.apply({ web: { on, ...configured({ port: 2 }) } }),
    ],
    { commands: "ReconfigureService web@a#1, StopService web@a#1, StartService web@a#2" },
  ],
  [
    "no longer has it stops it",
    [(stage) => stage.apply({})],
    { commands: "StopService web@a#1", is: { "web@a": "unwanted" } },
  ],
  [
    "no longer has it, and has it again, starts it anew",
    [(stage) => stage.apply({}), "watch", (stage) => stage.apply({ web })],
    { commands: "StartService web@a#2" },
  ],
]);

golden("new code of what is broken", withPolicy({ maxFailures: 1 }), [
  [
    "gives it new tries",
    ["fail web@a", "watch", (stage) => stage.apply({ web: newer })],
    { commands: "StartService web@a#2", is: { "web@a": "wanted" } },
  ],
]);

const chain: Table = { services: { db: { on }, web: { on, after: ["db"] } } };

golden("what comes after another", chain, [
  [
    "runs on when that fails",
    ["fail db@a", 126],
    { commands: "StartService db@a#2", is: { "web@a#1": "running" } },
  ],
  [
    "does not start while that is stopped",
    ["stop db", "watch", "restart web"],
    { commands: "StopService web@a#1", is: { "web@a": "wanted" } },
  ],
  [
    "starts when that runs",
    ["stop db", "restart web", "watch", "start db"],
    { commands: "StartService db@a#2, StartService web@a#2" },
  ],
  [
    "waits for its next try, and then for that",
    ["stop db", "fail web@a", "watch", 200],
    { commands: "", is: { "web@a#1": "failed" } },
  ],
]);
