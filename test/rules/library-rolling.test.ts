import { rulesOf } from "@halon/rules";
import rolling from "../../packages/rules/library/rolling-restart.rules.ts";
import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

const restart = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 1,
  windowMs: 60_000,
  configTries: 3,
};
const three: Table = {
  nodes: "a b c",
  services: { web: { on: "every-node", manifest: { restart } } },
  files: { "rolling-restart": rulesOf(rolling).rules },
  of: "rolling-restart",
};

/** Less is waited for, so that less happens meanwhile. */
const hasty: Table = {
  ...three,
  files: { "rolling-restart": rulesOf(rolling, { within: "19s" }).rules },
};

/** A person asks for it. */
function roll(more: { readonly batch?: number } = {}): Step {
  return ["JobRequested", { rule: "rolling-restart/roll", data: { service: "web", ...more } }];
}
const resume: Step = ["RollResumeRequested", { service: "web" }];
const one = (node: string, next = 2): string =>
  `StopService web@${node}#${next - 1}, StartService web@${node}#${next}, CheckService web@${node}#${next}`;

golden("rolling-restart", three, [
  [
    "restarts one place after another",
    [roll(), 15_000],
    { commands: `${one("a")}, ${one("b")}, ${one("c")}` },
  ],
  ["says when all are restarted", [roll(), 14_999, "watch", 1], { tells: "JobEnded web done" }],
  ["begins with one", [roll()], { commands: one("a") }],
  [
    "goes on when that was well for the time that is steady",
    [roll(), 4_999],
    { commands: one("a") },
  ],
  [
    "goes on as soon as that time is over",
    [roll(), 5_000],
    { commands: `${one("a")}, ${one("b")}` },
  ],
  [
    "waits for a start",
    ["hold web@a#2", roll(), 14_000],
    { commands: "StopService web@a#1, StartService web@a#2" },
  ],
  [
    "goes on when that start has succeeded",
    ["hold web@a#2", roll(), 14_000, "watch", "release web@a#2", 4_999],
    { commands: "CheckService web@a#2" },
  ],
  [
    "asks again while the check is not ok",
    ["sicken web", roll(), 4_000],
    { commands: `${one("a")}, CheckService web@a#2, CheckService web@a#2` },
  ],
  [
    "goes on when the check is ok at last",
    ["sicken web", roll(), 3_000, "cure web", "watch", 6_000],
    { commands: `CheckService web@a#2, ${one("b")}` },
  ],
  [
    "joins a request for the same service",
    [roll(), roll(), 15_000],
    { commands: `${one("a")}, ${one("b")}, ${one("c")}` },
  ],
  [
    "leaves out what a person stopped",
    ["stop web b", "watch", roll(), 15_000],
    { commands: `${one("a")}, ${one("c")}`, is: { "web@b": "halted" } },
  ],
  [
    "leaves out a node in maintenance",
    ["maintain a", "watch", roll(), 15_000],
    { commands: `${one("b")}, ${one("c")}` },
  ],
  [
    "leaves out a node that is down",
    ["lose a", 1_000, "watch", roll(), 15_000],
    { commands: `${one("b")}, ${one("c")}` },
  ],
  [
    "leaves out a place that is gone when its turn comes",
    [roll(), "drain b", "watch", 5_000],
    { commands: "" },
  ],
  [
    "goes on after a place that was gone",
    [roll(), "drain b", "watch", 10_000],
    { commands: one("c") },
  ],
  [
    "has nothing to do where nothing runs",
    ["stop web", "watch", roll()],
    { tells: "RollPlanned web, JobEnded web done", commands: "" },
  ],
  [
    "fails for what is no service",
    [["JobRequested", { rule: "rolling-restart/roll", data: { service: "none" } }]],
    { commands: "", tells: "RollPlanned none, JobEnded none failed" },
  ],
  [
    "is cancelled at once",
    [roll(), "watch", "cancel rolling-restart/roll web", 60_000],
    { commands: "", tells: "JobEnded web cancelled" },
  ],
]);

golden("rolling-restart: several at once", three, [
  [
    "restarts as many",
    [roll({ batch: 2 })],
    {
      commands:
        "StopService web@a#1, StopService web@b#1, StartService web@a#2, StartService web@b#2, CheckService web@a#2, CheckService web@b#2",
    },
  ],
  [
    "waits for all of them",
    ["hold web@b#2", roll({ batch: 2 }), 60_000],
    { is: { "web@a#2": "running", "web@c#1": "running" } },
  ],
  ["takes what is left last", [roll({ batch: 2 }), "watch", 5_000], { commands: one("c") }],
]);

const late: readonly Step[] = ["sicken web", roll(), 18_999, "watch", 1];

golden("rolling-restart: stops", hasty, [
  [
    "when one does not come back in time",
    late,
    {
      tells: "RollStopped web, AlertRaised web warning",
      is: { "alert web": "warning", "web@b#1": "running" },
    },
  ],
  [
    "when the check of one does not get ok",
    ["sicken web", roll(), 18_999, "watch", 1],
    { tells: "RollStopped web, AlertRaised web warning" },
  ],
  [
    "at once when one breaks",
    ["hold web@a#2", roll(), "watch", "fail web@a"],
    { tells: "ServiceBroken web@a, RollStopped web, AlertRaised web warning" },
  ],
  [
    "when one fails before it was steady",
    [roll(), 1_000, "watch", "fail web@a 10000"],
    { tells: "RollStopped web, AlertRaised web warning" },
  ],
  [
    "when one turns bad before it was steady",
    [roll(), 1_000, "watch", "warn web@a"],
    { tells: "RollStopped web, AlertRaised web warning" },
  ],
  [
    "not when one fails that was done",
    [roll(), 5_000, 1_000, "watch", "fail web@a 10000"],
    { tells: "" },
  ],
  [
    "not when one fails whose turn comes later",
    [roll(), 1_000, "watch", "fail web@c 10000", 4_000],
    { commands: `StartService web@c#2, ${one("b")}` },
  ],
  ["and touches no other place", [...late, 3_600_000], { commands: "" }],
  [
    "for good when nobody has resumed it within a day",
    [...late, "watch", 86_400_000],
    { tells: "AlertCleared web, JobEnded web failed" },
  ],
]);

golden("rolling-restart: resumed", hasty, [
  [
    "takes the one that did not come back once more",
    [...late, "cure web", "watch", resume],
    {
      tells:
        "AlertCleared web, RollPlanned web, ServiceRestartRequested web@a, ServiceCheckRequested web@a",
      commands: one("a", 3),
    },
  ],
  [
    "does not take those that were done",
    [roll(), 4_999, "sicken web", 19_001, "cure web", "watch", resume, 10_000],
    { commands: `${one("b", 3)}, ${one("c")}` },
  ],
  [
    "may stop again",
    [...late, resume, 18_999, "watch", 1],
    { tells: "RollStopped web, AlertRaised web warning" },
  ],
  ["before it has stopped changes nothing", [roll(), "watch", resume], { tells: "", commands: "" }],
  [
    "is not: a person cancels it",
    [...late, "watch", "cancel rolling-restart/roll web"],
    { tells: "AlertCleared web, JobEnded web cancelled", is: { "alert web": "none" } },
  ],
]);
