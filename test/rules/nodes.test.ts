import { NodePolicy } from "@halon/protocol";
import { golden, type Table } from "./golden.ts";

const on = { node: "a" };
/** `web` has its place on a, and may have it on b; `db` nowhere else than on a; `log` on both. */
const two: Table = {
  nodes: "a b",
  services: { web: { prefer: ["a"] }, db: { on, onNodeLoss: "wait" }, log: { on: "every-node" } },
};

golden("a node that", two, [
  [
    "is suspected keeps all",
    ["suspect a", 60_000],
    { fires: "node-suspected", commands: "", is: { a: "suspect", "web@a#1": "running" } },
  ],
  [
    "is trusted again is as before",
    ["suspect a", "trust a"],
    { fires: "node-suspected node-trusted", commands: "", is: { a: "up" } },
  ],
  [
    "is lost keeps its places for a moment",
    ["lose a", 299],
    { tells: "NodeTransient a", commands: "", is: { a: "down", "web@a#1": "unknown" } },
  ],
  [
    "is lost loses what may be elsewhere",
    ["lose a", 300],
    {
      tells: "NodeTransient a, ServiceMoved web a>b",
      commands: "StartService web@b#1",
      is: { "web@a": "unwanted", "web@b": "wanted" },
    },
  ],
  [
    "is lost keeps what is wanted nowhere else",
    ["lose a", 300],
    { is: { "db@a": "wanted", "log@a": "wanted" } },
  ],
  [
    "is back before that moment is over has all it had",
    ["lose a", 200, "back a", 300],
    {
      commands: "",
      tells: "NodeTransient a, NodeRecovered a",
      is: { a: "up", "web@a#1": "running" },
    },
  ],
  [
    "is back later ends what runs elsewhere now",
    ["lose a", 300, "watch", "back a"],
    { commands: "StopService web@a#1", is: { "db@a#1": "running", "web@b#1": "running" } },
  ],
  [
    "starts anew has lost its workers, which is no failure of theirs",
    ["reboot a"],
    {
      commands: "StartService db@a#2, StartService log@a#2, StartService web@a#2",
      tells: "",
      is: { "web@a#2": "running" },
    },
  ],
  [
    "leaves gives its places away at once",
    ["leave a"],
    { tells: "ServiceMoved web a>b", commands: "StartService web@b#1", is: { a: "down" } },
  ],
  ["leaves is not waited for", ["leave a", 3_600_000], { tells: "ServiceMoved web a>b" }],
  [
    "is lost a second time without coming back is no news",
    ["lose a", 300, "watch", "lose a", 300],
    { fires: "", commands: "" },
  ],
  [
    "joins takes what is wanted everywhere",
    ["join c"],
    { commands: "StartService log@c#1", is: { c: "up" } },
  ],
  [
    "joins takes nothing that has a place",
    ["join c", 60_000],
    { tells: "", is: { "web@a": "wanted" } },
  ],
  [
    "joins with its links cut for a moment has all it had",
    ["cut a", "back a"],
    { commands: "", is: { "web@a#1": "running" } },
  ],
]);

golden("a node that is drained", two, [
  [
    "gives its services away, one running before the other ends",
    ["drain a"],
    {
      tells: "ServiceMoved web a>b",
      commands:
        "StopService db@a#1, StopService log@a#1, StartService web@b#1, StopService web@a#1",
      is: { a: "up draining", operation: "done" },
    },
  ],
  [
    "keeps a service until what replaces it runs",
    ["hold web@b#1", "drain a"],
    { is: { "web@a#1": "running", operation: "running" } },
  ],
  [
    "keeps a service whose replacement does not start",
    ["hold web@b#1", "drain a", "fail web@b"],
    { is: { "web@a#1": "running" } },
  ],
  [
    "lets it end when a person stops what replaces it",
    ["hold web@b#1", "drain a", "watch", "stop web b", "release web@b#1"],
    { commands: "StopService web@b#1, StopService web@a#1" },
  ],
  [
    "takes nothing new",
    ["drain a", (stage) => stage.apply({ extra: { prefer: ["a"] } })],
    { is: { "extra@b": "wanted", "extra@a": "unwanted" } },
  ],
  [
    "takes services again when it is resumed",
    ["drain a", "watch", "resume a"],
    { commands: "StartService db@a#2, StartService log@a#2", is: { a: "up" } },
  ],
  [
    "does not get back what found another place",
    ["drain a", "resume a"],
    { is: { "web@a": "unwanted", "web@b": "wanted" } },
  ],
  [
    "and is lost is waited for",
    ["drain a", "watch", "lose a", 300],
    { tells: "NodeTransient a", commands: "" },
  ],
  [
    "and is nobody's is refused",
    ["drain c"],
    { fires: "drain-requested", is: { operation: "failed" } },
  ],
]);

golden("a node in maintenance", two, [
  [
    "keeps all",
    ["maintain a", 60_000],
    { fires: "maintenance-requested", commands: "", is: { a: "up maintenance" } },
  ],
  [
    "keeps all when it is lost",
    ["maintain a", "watch", "lose a", 60_000],
    { tells: "", commands: "", is: { "web@a": "wanted" } },
  ],
  [
    "loses what may be elsewhere when it is lost, and out of it",
    ["maintain a", "lose a", 60_000, "watch", "unmaintain a"],
    { tells: "NodeTransient a, ServiceMoved web a>b", commands: "StartService web@b#1" },
  ],
  [
    "takes nothing new",
    ["maintain b", "watch", "lose a", 300],
    { commands: "", is: { "web@a": "wanted" } },
  ],
  [
    "that was in none is left as it is",
    ["unmaintain a"],
    { commands: "", is: { a: "up", operation: "done" } },
  ],
  [
    "may be drained",
    ["maintain a", "watch", "drain a"],
    { tells: "ServiceMoved web a>b", is: { a: "up draining", operation: "done" } },
  ],
]);

golden("a node that is to be removed", two, [
  ["is kept while it is up", ["remove a"], { commands: "", is: { a: "up", operation: "failed" } }],
  [
    "is removed when it is drained and empty",
    ["drain a", "watch", "remove a"],
    { is: { a: "down decommissioned", operation: "done" } },
  ],
  [
    "is kept while something runs there",
    ["hold web@b#1", "drain a", "watch", "remove a"],
    { is: { a: "up draining", operation: "failed" } },
  ],
  [
    "is removed when it is down",
    ["lose a", 300, "watch", "remove a"],
    { is: { a: "down decommissioned", "db@a": "unwanted" } },
  ],
  ["is waited for no more", ["lose a", 300, "remove a", "watch", 3_600_000], { tells: "" }],
  [
    "may not join again",
    ["lose a", 300, "remove a", "watch", "back a"],
    { commands: "", is: { a: "down decommissioned" } },
  ],
  [
    "may join again when it is resumed",
    ["lose a", 300, "remove a", "resume a", "back a"],
    { is: { a: "up", "db@a": "wanted" } },
  ],
]);

const brief: Table = {
  ...two,
  policy: NodePolicy.parse({ recoverAttempts: 2, recoverEveryMs: 10_000 }),
};

golden("a lost node", brief, [
  [
    "is tried to be brought back after the interval",
    ["lose a", "watch", 9_999],
    { fires: "node-loss-settled service-started", tells: "ServiceMoved web a>b" },
  ],
  [
    "is tried as often as the policy says",
    ["lose a", 300, "watch", 29_699],
    { tells: "RecoveryAttempted a, RecoveryAttempted a" },
  ],
  [
    "is given up then",
    ["lose a", 300, "watch", 29_700],
    { tells: "RecoveryAttempted a, RecoveryAttempted a, NodeGivenUp a" },
  ],
  ["is given up once", ["lose a", 30_000, "watch", 3_600_000], { tells: "" }],
  [
    "that was given up is welcome all the same",
    ["lose a", 30_000, "watch", "back a"],
    { tells: "NodeRecovered a, SurplusStopped web@a", is: { a: "up" } },
  ],
  [
    "that is back is tried no more",
    ["lose a", 10_000, "back a", "watch", 3_600_000],
    { tells: "" },
  ],
]);

const six: Table = { nodes: "a b c d e f", services: { web: { prefer: ["a"] } } };

golden("the breaker of six nodes", six, [
  ["holds for two", ["lose a", "lose b", 300], { is: { breaker: "closed", "web@c#1": "running" } }],
  [
    "trips for three",
    ["lose a", "lose b", "watch", "lose c"],
    { tells: "BreakerTripped, NodeTransient c", is: { breaker: "tripped" } },
  ],
  [
    "keeps places while it is tripped",
    ["lose a", "lose b", "lose c", 60_000],
    { commands: "", is: { "web@a": "wanted" } },
  ],
  [
    "lets them go when a person resets it",
    ["lose a", "lose b", "lose c", 300, "watch", "reset"],
    { commands: "StartService web@d#1", is: { breaker: "closed" } },
  ],
  [
    "stays tripped while one of them is lost",
    ["lose a", "lose b", "lose c", 300, "back b", "back c"],
    { is: { breaker: "tripped" } },
  ],
  [
    "is reset when all are back",
    ["lose a", "lose b", "lose c", 300, "back b", "back c", "watch", "back a"],
    { is: { breaker: "closed", "web@a#1": "running" } },
  ],
  [
    "does not count those in maintenance",
    ["maintain a", "lose a", "lose b", "lose c", 300],
    { is: { breaker: "closed" } },
  ],
  [
    "does not count those who leave",
    ["leave a", "lose b", "lose c", 300],
    { is: { breaker: "closed" } },
  ],
  [
    "does not count those who were lost long before",
    ["lose a", 60_000, "lose b", "lose c", 300],
    { is: { breaker: "closed" } },
  ],
  [
    "counts those who were lost shortly before",
    ["lose a", 59_000, "lose b", "lose c", 300],
    { is: { breaker: "tripped" } },
  ],
]);

golden("the breaker of nine nodes", { ...six, nodes: "a b c d e f g h i" }, [
  [
    "holds for a third",
    ["lose a", "lose b", "lose c", 300],
    { is: { breaker: "closed", "web@d#1": "running" } },
  ],
  ["trips for more", ["lose a", "lose b", "lose c", "lose d"], { is: { breaker: "tripped" } }],
]);

golden(
  "an exclusive service",
  { nodes: "a b", services: { db: { exclusive: "cluster", prefer: ["a"] } } },
  [
    ["has one place", [], { is: { "db@a#1": "running", "db@b": "unwanted" } }],
    ["is started again where it was", ["fail db@a 10000"], { commands: "StartService db@a#2" }],
    [
      "does not move as soon as its node is lost",
      ["lose a", 300],
      { commands: "", is: { "db@a#1": "unknown" } },
    ],
    [
      "moves when its lease is over",
      ["lose a", 60_000],
      { commands: "StartService db@b#1", is: { "db@b#1": "running" } },
    ],
    [
      "stays when its node is back in time",
      ["lose a", 300, "back a", 60_000],
      { commands: "", is: { "db@a#1": "running" } },
    ],
    [
      "ends before it begins elsewhere",
      ["drain a"],
      { commands: "StopService db@a#1, StartService db@b#1" },
    ],
    [
      "does not begin elsewhere while it has not ended",
      ["hold db@a#1", "drain a", 14_999],
      { commands: "StopService db@a#1" },
    ],
  ],
);
