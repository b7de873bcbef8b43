import { golden, type Table } from "./golden.ts";
import type { Step } from "./stage.ts";

/** A person asks for it. */
function move(service: string, from: string, to?: string): Step {
  return (stage) =>
    void stage.cluster.ask("ServiceMoveRequested", {
      service,
      from,
      ...(to === undefined ? {} : { to }),
    });
}

const cluster: Table = {
  nodes: "a b c",
  services: {
    web: { prefer: ["a"] },
    busy: { prefer: ["b"] },
    db: { exclusive: "cluster", prefer: ["a"] },
    log: { on: "every-node" },
    pinned: { on: { node: "a" } },
    shy: { prefer: ["a"], apart: ["busy"] },
    many: { replicas: 2, prefer: ["a", "b"] },
  },
};

golden("a move of a service", cluster, [
  [
    "starts it elsewhere before it ends where it was",
    [move("web", "a", "b")],
    {
      tells: "ServiceMoved web a>b",
      commands: "StartService web@b#1, StopService web@a#1",
      is: { "web@a": "unwanted", "web@b#1": "running", operation: "done" },
    },
  ],
  [
    "goes where the load is least when nobody says where",
    [move("web", "a")],
    { tells: "ServiceMoved web a>c" },
  ],
  [
    "keeps the old one until the new one runs",
    ["hold web@b#1", move("web", "a", "b"), 5_000],
    { commands: "StartService web@b#1", is: { "web@a#1": "running", operation: "running" } },
  ],
  [
    "ends the old one when the new one runs",
    ["hold web@b#1", move("web", "a", "b"), 5_000, "watch", "release web@b#1"],
    { commands: "StopService web@a#1", is: { operation: "done" } },
  ],
  [
    "ends an exclusive one before it begins elsewhere",
    [move("db", "a", "b")],
    { tells: "ServiceMoved db a>b", commands: "StopService db@a#1, StartService db@b#1" },
  ],
  [
    "of one of several leaves the others",
    [move("many", "a", "c")],
    {
      tells: "ServiceMoved many a>c",
      commands: "StartService many@c#1, StopService many@a#1",
      is: { "many@b#1": "running" },
    },
  ],
  [
    "keeps what a person stopped stopped",
    ["stop web", "watch", move("web", "a", "b")],
    { tells: "ServiceMoved web a>b", commands: "", is: { "web@b": "halted" } },
  ],
  [
    "may go back",
    [move("web", "a", "b"), "watch", move("web", "b", "a")],
    { tells: "ServiceMoved web b>a", commands: "StartService web@a#2, StopService web@b#1" },
  ],
  [
    "is over when it has ended",
    [move("web", "a", "b"), "watch", "restart web", 60_000],
    { tells: "", commands: "StopService web@b#1, StartService web@b#2" },
  ],
  [
    "looks for another place when the new one is lost",
    ["hold web@b#1", move("web", "a", "b"), "watch", "lose b", 300],
    { is: { "web@c#1": "running", "web@b": "unwanted" } },
  ],
]);

const fragile = {
  resetAfterMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 30_000,
  maxFailures: 1,
  windowMs: 60_000,
  configTries: 3,
};
const breaking: Table = {
  nodes: "a b",
  services: {
    web: { prefer: ["a"], manifest: { restart: fragile } },
    db: { exclusive: "cluster", prefer: ["a"], manifest: { restart: fragile } },
  },
};

golden("a move to where the service breaks", breaking, [
  [
    "is off: it runs on where it was",
    ["hold web@b#1", move("web", "a"), "watch", "fail web@b", 60_000],
    {
      commands: "",
      is: { "web@a": "wanted", "web@a#1": "running", "web@b": "unwanted", operation: "failed" },
    },
  ],
  [
    "may be asked for again",
    ["hold web@b#1", move("web", "a"), "fail web@b", "watch", move("web", "a")],
    { commands: "StartService web@b#2, StopService web@a#1", is: { operation: "done" } },
  ],
  [
    "is not taken back when the service runs once in the cluster",
    ["hold db@b#1", move("db", "a"), "watch", "fail db@b", 60_000],
    { commands: "", is: { "db@a": "unwanted", "db@b": "broken", operation: "failed" } },
  ],
  [
    "waits for the end of the old one, if that is the only one there may be",
    ["hold db@a#1", move("db", "a"), 14_000],
    { commands: "StopService db@a#1", is: { "db@b": "wanted", operation: "running" } },
  ],
  [
    "waits for the end of its lease when the old node is lost meanwhile",
    ["hold db@a#1", move("db", "a"), "lose a", "watch", 60_000],
    { commands: "StartService web@b#1, StartService db@b#1" },
  ],
]);

golden("a move is refused", cluster, [
  [
    "to a node that it does not get along with",
    [move("shy", "a", "b")],
    { commands: "", is: { operation: "failed", "shy@a": "wanted" } },
  ],
  ["off a node where it is not", [move("web", "b")], { commands: "", is: { operation: "failed" } }],
  ["of what nobody knows", [move("none", "a")], { commands: "", is: { operation: "failed" } }],
  [
    "of what is wanted on every node",
    [move("log", "a")],
    { commands: "", is: { operation: "failed", "log@a": "wanted" } },
  ],
  [
    "of what is wanted nowhere else",
    [move("pinned", "a")],
    { commands: "", is: { operation: "failed", "pinned@a": "wanted" } },
  ],
  [
    "to a node that nobody knows",
    [move("web", "a", "z")],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "to a node that is drained",
    ["drain b", "watch", move("web", "a", "b")],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "to a node in maintenance",
    ["maintain b", "watch", move("web", "a", "b")],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "to a node that is down",
    ["lose b", 300, "watch", move("web", "a", "b")],
    { commands: "", is: { operation: "failed" } },
  ],
  [
    "to where it has a place already",
    [move("many", "a", "b")],
    { commands: "", is: { operation: "failed", "many@a": "wanted" } },
  ],
  [
    "while another is under way",
    ["hold web@b#1", move("web", "a", "b"), "watch", move("web", "a", "c")],
    { commands: "", is: { operation: "failed" } },
  ],
]);
