import { NodePolicy } from "@halon/protocol";
import { rulesOf } from "@halon/rules";
import recovery from "../../packages/rules/library/node-recovery.rules.ts";
import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

const times = { suspectFor: "5s", tryFor: "10s", rebootFor: "60s", fenceFor: "20s" };
const programs = {
  try: { name: "wake" },
  reboot: { name: "power-cycle", args: ["--host={node}", "now"] },
  fence: { name: "power-off" },
};

function ladder(options: Parameters<typeof rulesOf>[1], nodes = "a b c d e f"): Table {
  return {
    nodes,
    files: { "node-recovery": rulesOf(recovery, { ...times, ...options }).rules },
    // The built-in attempts would tell of themselves.
    policy: NodePolicy.parse({ recoverAttempts: 0 }),
    of: "node-recovery",
  };
}

const cycle = "b runs power-cycle --host=a now";

golden("node-recovery: a node that", ladder(programs), [
  [
    "is suspected is given some time",
    ["suspect a", 4_999],
    { commands: "", tells: "JobRequested" },
  ],
  [
    "is trusted again in time is left alone",
    ["suspect a", 4_000, "watch", "trust a", 60_000],
    { commands: "", tells: "JobEnded a done" },
  ],
  [
    "stays suspected is tried",
    ["suspect a", 5_000],
    { commands: "b runs wake a", is: { "alert a": "warning" } },
  ],
  [
    "is lost is tried at once",
    ["lose a"],
    { commands: "b runs wake a", is: { "alert a": "warning" } },
  ],
  [
    "is lost while it is suspected is tried at once, and once",
    ["suspect a", 4_000, "lose a", 5_000],
    { commands: "b runs wake a" },
  ],
  ["does not come back by that is rebooted", ["lose a", "watch", 10_000], { commands: cycle }],
  [
    "does not come back by that either is fenced",
    ["lose a", 10_000, "watch", 60_000],
    { commands: "b runs power-off a" },
  ],
  [
    "comes back by the first step climbs no further",
    ["lose a", "ran b wake", "watch", "back a", 600_000],
    { commands: "", tells: "JobEnded a done, AlertCleared a" },
  ],
  [
    "comes back by the reboot climbs no further",
    ["lose a", 10_000, "watch", "reboot a", 5_000],
    { commands: "", tells: "JobEnded a done, AlertCleared a" },
  ],
  [
    "is lost while a program runs that did not help goes on all the same",
    ["lose a", "ran b wake failed", "watch", 10_000],
    { commands: cycle },
  ],
  [
    "is lost again later is climbed for again",
    ["lose a", "back a", "watch", "lose a"],
    { commands: "b runs wake a" },
  ],
  ["leaves by itself is left alone", ["leave a", 600_000], { fires: "", commands: "" }],
]);

const fencing: readonly Step[] = ["lose a", 70_000];

golden("node-recovery: a node that is being fenced", ladder(programs), [
  [
    "is fenced when the program says so",
    [...fencing, "watch", "ran b power-off"],
    { tells: "RunEnded b power-off done, AlertRaised a critical, JobEnded a failed" },
  ],
  [
    "is given up when the program fails",
    [...fencing, "watch", "ran b power-off failed"],
    {
      is: { "alert a": "critical" },
      tells: "RunEnded b power-off failed, AlertRaised a critical, JobEnded a failed",
    },
  ],
  [
    "is given up when the program says nothing",
    [...fencing, "watch", 19_999],
    { is: { "alert a": "warning" } },
  ],
  [
    "is given up as soon as its time is over",
    [...fencing, 20_000],
    { is: { "alert a": "critical" } },
  ],
  [
    "is not fenced by the late end of an earlier step",
    [...fencing, "watch", "ran b power-cycle"],
    { tells: "RunEnded b power-cycle done", is: { "alert a": "warning" } },
  ],
  ["is kept in the cluster", [...fencing, "ran b power-off"], { is: { a: "down" } }],
  [
    "may come back all the same",
    [...fencing, "ran b power-off", "watch", "reboot a"],
    { tells: "AlertCleared a", is: { a: "up" } },
  ],
]);

golden("node-recovery: with removeFenced", ladder({ ...programs, removeFenced: true }), [
  [
    "a fenced node is removed",
    [...fencing, "ran b power-off"],
    { is: { a: "down decommissioned", "alert a": "critical" } },
  ],
  [
    "a node that is not fenced is kept",
    [...fencing, "ran b power-off failed"],
    { is: { a: "down" } },
  ],
]);

golden("node-recovery: people and masses", ladder(programs), [
  [
    "a node in maintenance is left alone",
    ["maintain a", "watch", "lose a", 600_000],
    { fires: "", commands: "" },
  ],
  [
    "a person who takes the node into maintenance ends it",
    ["lose a", "watch", "maintain a", 10_000],
    { commands: "", tells: "JobEnded a done, AlertCleared a" },
  ],
  [
    "a person who removes the node ends it",
    ["lose a", "watch", "remove a", 600_000],
    { commands: "", is: { "alert a": "none" } },
  ],
  [
    "the end of a maintenance that was none ends nothing",
    ["lose a", "unmaintain a", "watch", 10_000],
    { commands: cycle },
  ],
  [
    "the loss of many ends it for all of them",
    ["lose a", "lose b", "watch", "lose c", 600_000],
    { commands: "" },
  ],
  [
    "after the loss of many nothing is begun",
    ["lose a", "lose b", "lose c", "watch", "lose d", 600_000],
    { fires: "", commands: "" },
  ],
]);

golden("node-recovery: who acts", ladder({ ...programs, runOn: "f" }), [
  ["is the node that the option names", ["lose a"], { commands: "f runs wake a" }],
]);

golden("node-recovery: where nobody can act", ladder(programs, "a b"), [
  ["people are told", ["maintain b", "lose a"], { commands: "", is: { "alert a": "critical" } }],
  ["the next that is up acts", ["lose a"], { commands: "b runs wake a" }],
]);

golden("node-recovery: without programs", ladder({}), [
  [
    "a node is waited for, and given up",
    ["lose a", 10_000],
    { commands: "", is: { "alert a": "critical" } },
  ],
  [
    "a node that is back in time is not",
    ["lose a", 9_999, "back a", 600_000],
    { is: { "alert a": "none" } },
  ],
  [
    "a node that was given up is welcome",
    ["lose a", 10_000, "watch", "back a"],
    { tells: "AlertCleared a" },
  ],
]);

golden("node-recovery: without a reboot", ladder({ fence: programs.fence }), [
  [
    "a node is fenced after it was waited for",
    ["lose a", 10_000],
    { commands: "b runs power-off a" },
  ],
]);
