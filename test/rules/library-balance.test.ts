import { NodePolicy } from "@halon/protocol";
import { rulesOf } from "@halon/rules";
import rebalance from "../../packages/rules/library/rebalance.rules.ts";
import { golden, type Table } from "./golden.ts";
import type { ServiceOf } from "./stage.ts";

type Options = Parameters<typeof rulesOf>[1];

/** Four services on one node. */
function four(options: Options = {}, each: ServiceOf = {}): Table {
  return {
    services: { w1: each, w2: each, w3: each, w4: each },
    files: { rebalance: rulesOf(rebalance, options).rules },
    of: "rebalance",
  };
}

const first = "ServiceMoveRequested w1 a>b, ServiceMoved w1 a>b";
const second = "ServiceMoveRequested w2 a>b, ServiceMoved w2 a>b";

golden("rebalance: a node that joins", four(), [
  ["is given a minute", ["join b", 59_999], { tells: "" }],
  [
    "gets a service then, which runs there before it ends here",
    ["join b", 60_000],
    { tells: first, commands: "StartService w1@b#1, StopService w1@a#1" },
  ],
  ["gets no more than make it even enough", ["join b", 600_000], { tells: first }],
  ["gets nothing while it is suspected", ["join b", "suspect b", 600_000], { tells: "" }],
  ["gets nothing while it is in maintenance", ["join b", "maintain b", 600_000], { tells: "" }],
  [
    "gets something when its maintenance is over",
    ["join b", "maintain b", 600_000, "watch", "unmaintain b", 60_000],
    { tells: first },
  ],
  ["gets nothing when it is gone again", ["join b", "leave b", 600_000], { tells: "" }],
  ["gets nothing while another is suspected", ["join b", "suspect a", 600_000], { tells: "" }],
  [
    "gets something when the other is trusted again",
    ["join b", "suspect a", 600_000, "trust a", "watch", 60_000],
    { tells: first },
  ],
]);

golden("rebalance: with a smaller difference", four({ difference: 1 }), [
  ["moves one at a time", ["join b", 119_999], { tells: first }],
  ["moves the next after another minute", ["join b", 60_000, "watch", 60_000], { tells: second }],
  ["ends when it is even", ["join b", 3_600_000], { tells: `${first}, ${second}` }],
  [
    "waits while a move has not ended",
    ["hold w1@b#1", "join b", 60_000, "watch", 14_999],
    { tells: "" },
  ],
  [
    "goes on with what a drain has made uneven",
    ["join b", 120_000, "drain b", "watch", "resume b", 60_000],
    { tells: "ServiceMoveRequested w1 a>b, ServiceMoved w1 a>b" },
  ],
]);

golden("rebalance: a service that", four({ keep: ["w1"] }), [
  ["is to be kept stays", ["join b", 600_000], { tells: second }],
  [
    "does not run well stays",
    ["warn w2@a", "join b", 600_000],
    { tells: "ServiceMoveRequested w3 a>b, ServiceMoved w3 a>b" },
  ],
  [
    "a person stopped stays",
    ["stop w2", "join b", 600_000],
    { tells: "ServiceMoveRequested w3 a>b, ServiceMoved w3 a>b" },
  ],
]);

golden("rebalance: services that run once in the cluster", four({}, { exclusive: "cluster" }), [
  ["stay", ["join b", 600_000], { tells: "" }],
]);

golden(
  "rebalance: services that run once, when asked to",
  four({ exclusive: true }, { exclusive: "cluster" }),
  [
    [
      "end before they start elsewhere",
      ["join b", 60_000],
      { tells: first, commands: "StopService w1@a#1, StartService w1@b#1" },
    ],
  ],
);

golden("rebalance: services that are wanted on every node", four({}, { on: "every-node" }), [
  ["are everywhere already", ["join b", "watch", 600_000], { tells: "" }],
]);

const withX = {
  ...four(),
  services: { ...four().services, w1: { apart: ["x"] }, x: { on: { node: "b" } } },
};

golden("rebalance: a move that is refused", withX, [
  [
    "is followed by that of another service",
    ["join b", 120_000],
    { tells: `ServiceMoveRequested w1 a>b, ${second}` },
  ],
]);

const pinned: Table = four({ difference: 1 }, { on: { node: "a" } });

golden("rebalance: services that are wanted nowhere else", pinned, [
  [
    "are asked for once each, and then no more",
    ["join b", 3_600_000],
    {
      tells:
        "ServiceMoveRequested w1 a>b, ServiceMoveRequested w2 a>b, ServiceMoveRequested w3 a>b, ServiceMoveRequested w4 a>b",
    },
  ],
]);

const eight = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((number) => [`w${number}`, {}]));
const masses: Table = {
  nodes: "a b c d",
  services: eight,
  files: { rebalance: rulesOf(rebalance, { difference: 1 }).rules },
  policy: NodePolicy.parse({ breakerNodes: 2, recoverAttempts: 0 }),
  of: "rebalance",
};

golden("rebalance: while the breaker is tripped", masses, [
  [
    "nothing moves",
    ["lose c", "lose d", 300, "watch", "join e", 600_000],
    { tells: "", is: { breaker: "tripped" } },
  ],
  [
    "services move again when it is reset",
    ["lose c", "lose d", 300, "join e", 600_000, "reset", "watch", 60_000],
    { is: { breaker: "closed" }, tells: "" },
  ],
]);

golden("rebalance: nodes that are even", { ...masses, nodes: "a b" }, [
  ["stay as they are", [3_600_000], { tells: "" }],
  [
    "stay as they are when a service restarts",
    ["restart w1", "fail w2@b 10000", 3_600_000],
    { tells: "", commands: "StopService w1@a#1, StartService w1@a#2, StartService w2@b#2" },
  ],
]);
