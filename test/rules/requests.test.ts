import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

const policy = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 5,
  windowMs: 60_000,
  configTries: 3,
};

/** Nothing arrives before a step says so: what is seen is the decision on the request itself. */
const pinned: Table = {
  nodes: "a b",
  services: { web: { on: { node: "a" }, onNodeLoss: "wait" } },
  settles: false,
};
const everywhere: Table = {
  nodes: "a b",
  services: { web: { on: "every-node" } },
  settles: false,
};

const halted: readonly Step[] = ["stop web", "settle"];
const waiting: readonly Step[] = ["fail web@a"];
const starting: readonly Step[] = ["hold web@a#2", "restart web", "settle"];
const stopping: readonly Step[] = ["hold web@a#1", "restart web", "settle"];
const lost: readonly Step[] = ["lose a", 1_000];
const inMaintenance: readonly Step[] = ["maintain a"];
/** It breaks with its first failure. */
const fragile: Table = {
  ...pinned,
  services: {
    web: { on: { node: "a" }, manifest: { restart: { ...policy, maxFailures: 1 } } },
  },
};

golden("a start of a service that", pinned, [
  [
    "runs has what it asks for",
    ["start web"],
    { fires: "start-requested", commands: "", is: { operation: "done" } },
  ],
  [
    "a person stopped starts it",
    [...halted, "watch", "start web"],
    {
      fires: "start-requested",
      commands: "StartService web@a#2",
      is: { "web@a": "wanted", "web@a#2": "starting", operation: "running" },
    },
  ],
  [
    "waits for its next try starts it at once",
    [...waiting, "watch", "start web"],
    { commands: "StartService web@a#2" },
  ],
  [
    "waits for its next try makes that try void",
    [...waiting, "start web", "settle", "watch", 60_000],
    { fires: "", commands: "" },
  ],
  [
    "is starting waits for it",
    [...starting, "watch", "start web"],
    { commands: "", is: { operation: "running" } },
  ],
  [
    "is starting is done when it runs",
    [...starting, "start web", "watch", "release web@a#2", "settle"],
    { commands: "", is: { operation: "done" } },
  ],
  [
    "is being stopped waits for its end",
    ["hold web@a#1", "stop web", "settle", "watch", "start web"],
    { commands: "", is: { "web@a": "wanted", operation: "running" } },
  ],
  [
    "is being stopped starts it at its end",
    ["hold web@a#1", "stop web", "settle", "start web", "watch", "release web@a#1", "settle"],
    { commands: "StartService web@a#2", is: { operation: "done" } },
  ],
  [
    "is on a lost node waits for the node",
    [...lost, "watch", "start web"],
    { commands: "", is: { "web@a#1": "unknown", operation: "running" } },
  ],
  [
    "is on a suspected node sends nothing",
    [...halted, "suspect a", "watch", "start web"],
    { commands: "", is: { "web@a": "wanted", operation: "running" } },
  ],
  [
    "was asked for while its node was suspected starts when that is over",
    [...halted, "suspect a", "start web", "watch", "trust a"],
    { fires: "node-trusted", commands: "StartService web@a#2" },
  ],
  [
    "is on a node in maintenance is refused",
    [...halted, ...inMaintenance, "watch", "start web"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "has no place is refused",
    ["drain a", "settle", "watch", "start web"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "nobody knows is refused",
    ["start none"],
    { fires: "start-requested", commands: "", is: { operation: "failed" } },
  ],
  [
    "is not wanted on that node is refused",
    ["start web b"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "is a part of Halon is refused",
    ["start halon-supervisor a"],
    { commands: "", is: { operation: "failed" } },
  ],
]);

golden("a start of a service that is broken", fragile, [
  [
    "gives it new tries",
    ["fail web@a", "watch", "start web"],
    { commands: "StartService web@a#2", is: { "web@a": "wanted" } },
  ],
  [
    "lets it break again",
    ["fail web@a", "start web", "settle", "watch", "fail web@a"],
    { fires: "restart-failed", tells: "ServiceBroken web@a", is: { "web@a": "broken" } },
  ],
]);

golden("a stop of a service that", pinned, [
  [
    "runs stops it",
    ["stop web"],
    {
      fires: "stop-requested",
      commands: "StopService web@a#1",
      is: { "web@a": "halted", "web@a#1": "stopping", operation: "running" },
    },
  ],
  [
    "runs is done when it has ended",
    ["stop web", "settle"],
    { commands: "StopService web@a#1", is: { "web@a#1": "stopped", operation: "done" } },
  ],
  [
    "is stopped has what it asks for",
    [...halted, "watch", "stop web"],
    { commands: "", is: { operation: "done" } },
  ],
  [
    "waits for its next try makes that try void",
    [...waiting, "stop web", "watch", 60_000],
    { fires: "", commands: "", is: { "web@a": "halted", operation: "done" } },
  ],
  [
    "is starting stops it at once",
    [...starting, "watch", "stop web"],
    { commands: "StopService web@a#2", is: { "web@a#2": "stopping" } },
  ],
  [
    "is being restarted lets it not come back",
    [...stopping, "stop web", "watch", "release web@a#1", "settle"],
    { commands: "", is: { "web@a": "halted", "web@a#1": "stopped", operation: "done" } },
  ],
  [
    "is on a lost node waits for the node",
    [...lost, "watch", "stop web"],
    { commands: "", is: { "web@a": "halted", "web@a#1": "unknown", operation: "running" } },
  ],
  [
    "is on a lost node is carried out when the node is back",
    [...lost, "stop web", "watch", "back a", "settle"],
    { commands: "StopService web@a#1", is: { "web@a#1": "stopped", operation: "done" } },
  ],
  [
    "is on a node in maintenance stops it all the same",
    [...inMaintenance, "watch", "stop web"],
    { commands: "StopService web@a#1" },
  ],
  ["is degraded stops it", ["ill web@a", "watch", "stop web"], { commands: "StopService web@a#1" }],
  ["nobody knows is refused", ["stop none"], { commands: "", is: { operation: "failed" } }],
  [
    "is a part of Halon is refused",
    ["stop halon-supervisor a"],
    { commands: "", is: { operation: "failed" } },
  ],
]);

golden("a stop of a service that is broken", fragile, [
  [
    "takes it out of the tries",
    ["fail web@a", "watch", "stop web"],
    { commands: "", is: { "web@a": "halted", "web@a#1": "stopped", operation: "done" } },
  ],
]);

golden("a restart of a service that", pinned, [
  [
    "runs stops it first",
    ["restart web"],
    {
      fires: "restart-requested",
      commands: "StopService web@a#1",
      is: { "web@a": "wanted", "web@a#1": "stopping" },
    },
  ],
  [
    "runs starts it when it has ended",
    ["restart web", "settle"],
    {
      commands: "StopService web@a#1, StartService web@a#2",
      is: { "web@a#1": "gone", "web@a#2": "running", operation: "done" },
    },
  ],
  [
    "is degraded restarts it",
    ["ill web@a", "watch", "restart web", "settle"],
    { commands: "StopService web@a#1, StartService web@a#2" },
  ],
  [
    "a person stopped starts it",
    [...halted, "watch", "restart web"],
    { commands: "StartService web@a#2", is: { "web@a": "wanted" } },
  ],
  [
    "waits for its next try starts it at once",
    [...waiting, "watch", "restart web"],
    { commands: "StartService web@a#2" },
  ],
  [
    "is starting ends that start, and makes another",
    [...starting, "watch", "restart web", "release web@a#2", "settle"],
    { commands: "StopService web@a#2, StartService web@a#3", is: { operation: "done" } },
  ],
  [
    "is being restarted does it once",
    [...stopping, "watch", "restart web", "release web@a#1", "settle"],
    { commands: "StartService web@a#2", is: { "web@a#2": "running", operation: "done" } },
  ],
  [
    "is on a lost node waits for the node",
    [...lost, "watch", "restart web"],
    { commands: "", is: { operation: "running" } },
  ],
  [
    "is on a node in maintenance stops it, and is told that it does not start",
    [...inMaintenance, "watch", "restart web", "settle"],
    { commands: "StopService web@a#1", is: { "web@a#1": "stopped", operation: "failed" } },
  ],
  ["nobody knows is refused", ["restart none"], { commands: "", is: { operation: "failed" } }],
]);

golden("a request about a service on several nodes", everywhere, [
  [
    "that is to restart restarts all",
    ["restart web"],
    { commands: "StopService web@a#1, StopService web@b#1" },
  ],
  [
    "that is to restart there restarts that one",
    ["restart web b"],
    { commands: "StopService web@b#1" },
  ],
  [
    "that is to stop there leaves the others",
    ["stop web b", "settle"],
    { is: { "web@a": "wanted", "web@b": "halted", operation: "done" } },
  ],
  [
    "that is to check asks all",
    ["check web"],
    { commands: "CheckService web@a#1, CheckService web@b#1" },
  ],
  [
    "that is to check asks those that run",
    ["stop web a", "settle", "watch", "check web", "settle"],
    { commands: "CheckService web@b#1", is: { operation: "done" } },
  ],
  [
    "that is to check is not done before all have answered",
    [
      "check web",
      (stage) => {
        stage.cluster.deliverCommand("a");
        stage.hear("a");
      },
    ],
    { is: { operation: "running" } },
  ],
]);

golden("a check of a service that", pinned, [
  [
    "runs asks it",
    ["check web"],
    { fires: "check-requested", commands: "CheckService web@a#1", is: { operation: "running" } },
  ],
  ["runs is done with its answer", ["check web", "settle"], { is: { operation: "done" } }],
  [
    "is degraded asks it",
    ["ill web@a", "watch", "check web"],
    { commands: "CheckService web@a#1" },
  ],
  [
    "a person stopped is refused",
    [...halted, "watch", "check web"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "is starting is refused",
    [...starting, "watch", "check web"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "is on a lost node is refused",
    [...lost, "watch", "check web"],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "fails before it answers has failed",
    ["check web", "watch", "fail web@a"],
    { is: { operation: "failed" } },
  ],
  [
    "does not answer has failed in the end",
    ["cut a", "check web", "watch", 130_000],
    { is: { operation: "failed" } },
  ],
]);

golden("a status of a service that", pinned, [
  ["runs asks it", ["status web"], { fires: "status-requested", commands: "ReportStatus web@a#1" }],
  ["runs is done with its answer", ["status web", "settle"], { is: { operation: "done" } }],
  [
    "a person stopped is refused",
    [...halted, "watch", "status web"],
    { commands: "", is: { operation: "failed" } },
  ],
]);
