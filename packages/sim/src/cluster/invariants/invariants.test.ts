import { emptyState } from "@halon/coordinator/core";
import type { Setup } from "@halon/node/core";
import type {
  Change,
  ClusterConfig,
  Command,
  DecisionRecord,
  HelloRequest,
  Json,
  Origin,
  Peer,
  TimerChange,
} from "@halon/protocol";
import { describe, expect, test } from "vitest";
import { noCounts } from "../../counters.ts";
import { ViolationError } from "../../invariants/invariant.ts";
import type { World } from "../../world.ts";
import type { Happening } from "../happening.ts";
import type { SimProcess } from "../processes.ts";
import { Operators } from "../wishes.ts";
import type { SimNode } from "../world.ts";
import { allJoined } from "./all-joined.ts";
import { allRuns } from "./all-runs.ts";
import { clusterBounds } from "./cluster-bounds.ts";
import type { ClusterInvariant } from "./cluster-invariant.ts";
import { commandsOnce } from "./commands-once.ts";
import { epochs } from "./epochs.ts";
import { equalFolds } from "./equal-folds.ts";
import { exactlyOnce } from "./exactly-once.ts";
import { exclusive } from "./exclusive.ts";
import { expectedInputs } from "./expected-inputs.ts";
import { fairLosses } from "./fair-losses.ts";
import { flawOf, graphWhole } from "./graph-whole.ts";
import { joinedOnce } from "./joined-once.ts";
import { leftAlone } from "./left-alone.ts";
import { notAgain } from "./not-again.ts";
import { nothingStuck } from "./nothing-stuck.ts";
import { oneAgency } from "./one-agency.ts";
import { oneCluster } from "./one-cluster.ts";
import { oneOnANode } from "./one-on-a-node.ts";
import { restartPolicy } from "./restart-policy.ts";
import { ClusterRuleSet } from "./rules.ts";
import { setupsKept } from "./setups-kept.ts";
import { wishesEnd } from "./wishes-end.ts";

const second = 1_000_000;

interface DecisionLike {
  readonly type?: string;
  readonly data?: Json;
  readonly origin?: Origin;
  readonly dead?: string;
  readonly changes?: readonly Change[];
  readonly commands?: readonly Command[];
  readonly memory?: readonly { readonly key: string; readonly value: Json }[];
  readonly timers?: readonly TimerChange[];
}

function nodeNamed(name: string, slot: number): SimNode {
  const node = { name, slot, incarnation: 1, status: "up", halond: null, coordinator: null };
  return node as unknown as SimNode;
}

const one = nodeNamed("node-1", 0);
const two = nodeNamed("node-2", 1);

/** A world in which only this rule looks, and what a test says happens. */
class Stage {
  private readonly rules: ClusterRuleSet;
  private readonly world: World;
  private readonly operators = new Operators(1);
  private readonly nodes = [one, two];
  private epoch = 1;

  constructor(rule: ClusterInvariant) {
    this.rules = new ClusterRuleSet([rule]);
    const world = {
      now: 0,
      phase: "healing",
      healedAt: 0,
      counters: { ...noCounts },
      members: [{ pausedUntil: 0 }, { pausedUntil: 0 }],
      queue: { size: 0 },
      trace: { note: () => undefined, saw: () => undefined },
      scenario: { faults: [], settings: { loss: 0, straggle: 0, faultsUs: 0 } },
      cluster: {
        nodes: this.nodes,
        settings: { services: [] },
        services: { processes: new Map() },
        operators: this.operators,
      },
    };
    this.world = world as unknown as World;
    this.saw({ type: "leading", node: one, epoch: 1, index: 1 });
  }

  get counters() {
    return this.world.counters;
  }

  saw(what: Happening): void {
    this.rules.saw(this.world, what);
  }

  after(us: number): void {
    this.world.now += us;
    this.saw({ type: "replicated", node: one, index: 0 });
  }

  inEpoch(epoch: number): this {
    this.epoch = epoch;
    return this;
  }

  /** A record with these decisions is committed. */
  record(...decisions: readonly DecisionLike[]): void {
    const { committed } = this.rules;
    const record = {
      index: committed.index + 1,
      epoch: this.epoch,
      logTime: committed.logTime,
      wallTime: 0,
      revision: committed.graph.revision + (decisions.some(({ changes }) => changes) ? 1 : 0),
      decisions: decisions.map((decision) => ({
        event: { id: "e", source: "s", type: "Said", version: 1, data: {}, ...decision },
        origin: decision.origin ?? { type: "derived", of: "e" },
        settles: null,
        dead: decision.dead ?? null,
        firings: [
          {
            rule: "builtin/planted",
            why: "",
            changes: decision.changes ?? [],
            memory: decision.memory ?? [],
            timers: decision.timers ?? [],
            commands: decision.commands ?? [],
            cancelled: [],
            published: [],
          },
        ],
      })),
    } as unknown as DecisionRecord;
    this.saw({ type: "committed", node: one, record, state: committed });
  }

  launch(instance: string, slot: number, token: number | null = null): SimProcess {
    const service = instance.slice(0, instance.indexOf("@"));
    const process = {
      instance,
      service,
      name: service,
      slot,
      token,
      host: 1,
    } as unknown as SimProcess;
    this.saw({ type: "launched", node: slot === 0 ? one : two, process });
    return process;
  }

  end(process: SimProcess): void {
    this.saw({ type: "ended", node: one, process, end: "asked" });
  }

  begin(command: Command, node: SimNode = one): void {
    this.saw({ type: "commandTaken", node, command, verdict: "begin" });
  }

  /** The node never comes back. */
  bury(node: SimNode): void {
    this.nodes[node.slot] = { ...node, status: "dead" } as SimNode;
  }

  /** This runs when rules look at what is alive. */
  alive(process: SimProcess): void {
    this.world.cluster?.services.processes.set(process.pid, process);
  }

  /** What has happened to its machine comes to it then. */
  pausesUntil(node: SimNode, us: number): void {
    this.nodes[node.slot] = { ...node, resumesAt: us } as SimNode;
  }

  /** The nodes of the run began without knowing each other; of node-1 this is true. */
  bootstraps(more: object): void {
    const { cluster } = this.world;
    if (cluster !== null) Object.assign(cluster.settings, { bootstrap: {} });
    this.nodes.splice(0, 2, { ...one, refusal: null, ...more });
  }

  get missing(): string | null {
    return this.rules.missing(this.world);
  }

  get asked(): Operators["asked"] {
    return this.operators.asked;
  }
}

/** The process as it is at its node, with a pid of its own. */
function inState(process: SimProcess, state: "running" | "stopping"): SimProcess {
  return { ...process, pid: pids++, state } as SimProcess;
}

let pids = 1;

function command(id: string, node = "node-1", instance = "web@node-1#1", epoch = 1): Command {
  const action = { type: "StopService", service: "web", instance, reason: "" } as const;
  return { id, epoch, node, deadline: 1_000, action };
}

function start(id: string, node: string, instance: string): Command {
  const manifest = { name: "web" };
  const action = { type: "StartService", service: "web", instance, manifest };
  return { ...command(id, node, instance), action: action as unknown as Command["action"] };
}

function put(kind: string, id: string, after: object): Change {
  return { type: "put", key: `${kind}/${id}`, before: null, after } as Change;
}

function relate(from: string, name: string, to: string): Change {
  return { type: "relate", relation: { from, name, to } } as Change;
}

const cluster = (more: object) => put("Cluster", "c", { name: "c", createdAt: 0, ...more });
const nodePut = (name: string, more: object) =>
  put("Node", name, {
    address: "a",
    role: "satellite",
    state: "up",
    incarnation: 1,
    labels: {},
    version: "1",
    since: 0,
    ...more,
  });
const instancePut = (id: string, more: object) =>
  put("ServiceInstance", id, {
    service: "web",
    type: "web",
    version: "1.0.0",
    node: "node-1",
    slot: "web@node-1",
    incarnation: 1,
    state: "running",
    health: "ok",
    since: 0,
    ...more,
  });
const policy = { maxFailures: 2, windowMs: 10_000, configTries: 2 };
const servicePut = put("Service", "web", { serviceName: "web", version: "1.0.0", restart: policy });
const slotPut = put("ServiceName", "web@node-1", {
  service: "web",
  node: "node-1",
  incarnation: 1,
  restarts: 0,
});
const wants = relate("ServiceName/web@node-1", "wants", "Service/web");
const configurationPut = put("Configuration", "new", { value: {} });
const wantsIt = relate("ServiceName/web@node-1", "wants", "Configuration/new");
const again: TimerChange = {
  type: "arm",
  key: "builtin/restart/web@node-1",
  due: 1_000,
  event: { type: "RestartDue", data: { slot: "web@node-1" } },
};
const operationPut = (state: string) =>
  put("Operation", "wish-1", {
    action: "start",
    target: "web",
    state,
    waiting: [],
    createdAt: 0,
    since: 0,
  });
const operationDue: TimerChange = {
  type: "arm",
  key: "builtin/operation/wish-1",
  due: 1_000,
  event: { type: "OperationDue", data: { operation: "wish-1" } },
};
const numbered = (sequence: number, incarnation = 1): DecisionLike => ({
  origin: { type: "sequence", source: "node-1", incarnation, sequence },
});

const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
const peer = (number: number, more: Partial<Peer> = {}): Peer => ({
  id: uuid(number),
  name: `node-${number}`,
  address: `node-${number}:7411`,
  role: "tracking",
  ...more,
});

/** The setup of node-1 in a cluster of these, complete where it has so many as wanted. */
function setupOf(peers: readonly Peer[], more: Partial<Setup> = {}): Setup {
  const agencySize = 3;
  const isComplete = peers.filter(({ role }) => role === "tracking").length === agencySize;
  return {
    format: 2,
    id: uuid(1),
    name: "node-1",
    listen: { host: "node-1", port: 7411 },
    advertise: null,
    mode: "cluster",
    phase: isComplete ? "complete" : "joining",
    role: isComplete ? "tracking" : null,
    clusterId: uuid(100),
    agencySize,
    store: "embedded",
    peers: [...peers],
    join: [],
    secretFile: null,
    local: null,
    incarnation: 1,
    ...more,
  };
}

const saved = (setup: Setup, node = one): Happening => ({ type: "setupSaved", node, setup });
const found = (setup: Setup | null): Happening => ({ type: "setupFound", node: one, setup });

function told(peers: readonly Peer[], clusterId = uuid(100), node = one): Happening {
  const complete = peers.length === 3;
  const config: ClusterConfig = {
    clusterId,
    agencySize: 3,
    store: "embedded",
    complete,
    peers: [...peers],
  };
  const to = { id: uuid(2), name: "node-2" } as HelloRequest;
  return { type: "helloAnswered", node, to, config };
}

const three = [peer(1), peer(2), peer(3)];

/** What breaks each rule, and the nearest that does not. */
const cases: readonly {
  readonly rule: () => ClusterInvariant;
  readonly id: string;
  readonly breaks: Readonly<Record<string, (stage: Stage) => void>>;
  readonly keeps: (stage: Stage) => void;
}[] = [
  {
    id: "C1",
    rule: epochs,
    breaks: {
      "two lead in one epoch": (stage) =>
        stage.saw({ type: "leading", node: two, epoch: 1, index: 2 }),
      "a record of the epoch of another": (stage) => {
        stage.saw({ type: "leading", node: two, epoch: 2, index: 2 });
        stage.inEpoch(2).record({});
      },
      "a record of an epoch in which nobody led": (stage) => stage.inEpoch(2).record({}),
      "a node acts on what a deposed one said": (stage) => {
        stage.begin(command("2.1", "node-1", "web@node-1#1", 2));
        stage.begin(command("1.1"));
      },
    },
    keeps: (stage) => {
      stage.record({});
      stage.saw({ type: "leading", node: one, epoch: 2, index: 2 });
      stage.inEpoch(2).record({});
    },
  },
  {
    id: "C2",
    rule: exactlyOnce,
    breaks: {
      "an event twice": (stage) => stage.record(numbered(1), numbered(1)),
      "a gap": (stage) => stage.record(numbered(1), numbered(3)),
      "an id of a client twice": (stage) => {
        const origin = { type: "client", id: "wish-1" } as const;
        stage.record({ origin }, { origin });
      },
      "another event under the same number": (stage) => {
        for (const type of ["NodeJoined", "NodeLeft"]) {
          const event = { type, version: 1, data: {} };
          stage.saw({ type: "eventsSent", node: one, events: [{ sequence: 1, event }] });
        }
      },
      "an acknowledgement of what no record has": (stage) =>
        stage.saw({
          type: "acknowledged",
          node: one,
          source: "node-1",
          incarnation: 1,
          sequence: 1,
        }),
    },
    keeps: (stage) => {
      stage.record(numbered(1), numbered(2), numbered(1, 2));
      stage.saw({ type: "acknowledged", node: one, source: "node-1", incarnation: 1, sequence: 2 });
    },
  },
  {
    id: "C3",
    rule: commandsOnce,
    breaks: {
      "a command begun twice": (stage) => {
        stage.record({ commands: [command("1.1")] });
        stage.begin(command("1.1"));
        stage.begin(command("1.1"));
      },
      "a command that no record has": (stage) => stage.begin(command("1.1")),
      "a command of another node": (stage) => {
        stage.record({ commands: [command("1.1")] });
        stage.begin(command("1.1"), two);
      },
    },
    keeps: (stage) => {
      stage.record({ commands: [command("1.1"), command("1.2")] });
      stage.begin(command("1.1"));
      stage.begin(command("1.2"));
    },
  },
  {
    id: "C4",
    rule: oneOnANode,
    breaks: {
      "two of a name live on a node": (stage) => {
        stage.launch("web@node-1#1", 0);
        stage.launch("web@node-1#2", 0);
      },
    },
    keeps: (stage) => {
      stage.end(stage.launch("web@node-1#1", 0));
      stage.launch("web@node-1#2", 0);
      stage.launch("web@node-2#1", 1);
    },
  },
  {
    id: "C5",
    rule: exclusive,
    breaks: {
      "two of an exclusive service live": (stage) => {
        stage.launch("web@node-1#1", 0, 1);
        stage.launch("web@node-2#1", 1, 2);
      },
      "a token that does not grow": (stage) => {
        stage.end(stage.launch("web@node-1#1", 0, 2));
        stage.launch("web@node-2#1", 1, 2);
      },
    },
    keeps: (stage) => {
      stage.end(stage.launch("web@node-1#1", 0, 1));
      stage.launch("web@node-2#1", 1, 2);
    },
  },
  {
    id: "C6",
    rule: notAgain,
    breaks: {
      "an instance starts twice": (stage) => {
        stage.end(stage.launch("web@node-1#1", 0));
        stage.launch("web@node-1#1", 0);
      },
      "an older one starts after a newer": (stage) => {
        stage.end(stage.launch("web@node-1#2", 0));
        stage.launch("web@node-1#1", 0);
      },
      "it starts after its end was told": (stage) => {
        const data = { instance: "web@node-1#1" };
        stage.saw({ type: "emitted", node: one, event: { type: "ServiceStopped", data } });
        stage.launch("web@node-1#1", 0);
      },
    },
    keeps: (stage) => {
      stage.end(stage.launch("web@node-1#1", 0));
      stage.launch("web@node-1#2", 0);
    },
  },
  {
    id: "C7",
    rule: nothingStuck,
    breaks: {
      "an instance starts, and nobody was told": (stage) => {
        const changes = [nodePut("node-1", {}), instancePut("web@node-1#1", { state: "starting" })];
        stage.record({ changes });
        stage.after(second);
      },
      "an instance stops, and what lives there is in another state, or another instance": (
        stage,
      ) => {
        const changes = [nodePut("node-1", {}), instancePut("web@node-1#2", { state: "stopping" })];
        stage.alive(inState(stage.launch("web@node-1#1", 0), "stopping"));
        stage.alive(inState(stage.launch("web@node-1#2", 0), "running"));
        stage.record({ changes });
        stage.after(second);
      },
      "an operation without a timer": (stage) => {
        const operation = { action: "stop", target: "web", waiting: ["a"], since: 0, order: 1 };
        stage.record({ changes: [put("Operation", "o", { ...operation, state: "running" })] });
        stage.after(second);
      },
      "a timer that does not fire": (stage) => {
        stage.record({ commands: [command("1.1")] });
        stage.after(20 * second);
      },
    },
    keeps: (stage) => {
      const stopping = (id: string) => instancePut(id, { state: "stopping" });
      const changes = [nodePut("node-1", {}), stopping("web@node-1#1"), stopping("mail@node-1#1")];
      // The one has a command that is out, the other the deadlines of its node.
      stage.alive(inState(stage.launch("mail@node-1#1", 0), "stopping"));
      stage.record({ changes, commands: [command("1.1")] });
      stage.after(second);
    },
  },
  {
    id: "C8",
    rule: graphWhole,
    breaks: {
      "an instance of two nodes": (stage) => {
        const changes = [
          nodePut("node-1", {}),
          nodePut("node-2", {}),
          instancePut("web@node-1#1", {}),
          relate("Node/node-1", "runs", "ServiceInstance/web@node-1#1"),
          relate("Node/node-2", "runs", "ServiceInstance/web@node-1#1"),
        ];
        stage.record({ changes });
        for (let i = 0; i < 5; i++) stage.after(second);
      },
    },
    keeps: (stage) => {
      const changes = [
        nodePut("node-1", {}),
        instancePut("web@node-1#1", {}),
        relate("Node/node-1", "runs", "ServiceInstance/web@node-1#1"),
      ];
      stage.record({ changes });
      for (let i = 0; i < 5; i++) stage.after(second);
    },
  },
  {
    id: "C9",
    rule: equalFolds,
    breaks: {
      "a state that is read back as another": (stage) => {
        stage.record({});
        const state = Object.assign(emptyState(), { index: 1, epoch: 7 });
        stage.saw({ type: "following", node: two, state });
      },
      "a standby that has folded something else": (stage) => {
        for (let i = 0; i < 64; i++) stage.record({});
        const state = Object.assign(emptyState(), { index: 64 });
        stage.saw({ type: "following", node: two, state });
      },
    },
    keeps: (stage) => {
      for (let i = 0; i < 65; i++) stage.record({});
    },
  },
  {
    id: "C10",
    rule: restartPolicy,
    breaks: {
      "more starts than failures break it": (stage) => {
        stage.record({ changes: [servicePut, slotPut, wants] });
        for (let i = 1; i <= 3; i++) {
          const commands = [start(`9.${i}`, "node-1", `web@node-1#${i}`)];
          stage.record({ type: "RestartDue", data: { slot: "web@node-1" }, commands });
        }
      },
      "a restart after as many failures as break it": (stage) => {
        stage.record({ changes: [servicePut, slotPut, wants] });
        stage.record({ memory: [{ key: "failures/web@node-1", value: [1, 2] }], timers: [again] });
      },
      "a service breaks by a configuration, and another has worked": (stage) => {
        stage.record({ changes: [servicePut, slotPut, wants, configurationPut, wantsIt] });
        const good = { configuration: "old", value: {}, schema: "s" };
        const trial = { configuration: "new", schema: "s", failures: 2, wellSince: null };
        const memory = [
          { key: "good/web@node-1", value: good },
          { key: "trial/web@node-1", value: trial },
        ];
        stage.record({ type: "ServiceBroken", data: { instance: "web@node-1#1" }, memory });
      },
    },
    keeps: (stage) => {
      stage.record({ changes: [servicePut, slotPut, wants] });
      stage.record({ memory: [{ key: "failures/web@node-1", value: [1] }], timers: [again] });
      for (let i = 1; i <= 3; i++) {
        const commands = [start(`9.${i}`, "node-1", `web@node-1#${i}`)];
        stage.record({ type: "RestartDue", data: { slot: "web@node-1" }, commands });
        stage.record({ type: "ServiceStartRequested", data: { service: "web" } });
      }
      for (let i = 4; i <= 6; i++) {
        const commands = [start(`9.${i}`, "node-1", `web@node-1#${i}`)];
        stage.record({ type: "RestartDue", data: { slot: "web@node-1" }, commands });
        stage.record({ changes: [{ ...wants, type: "unrelate" } as Change] });
        stage.record({ changes: [wants] });
      }
    },
  },
  {
    id: "C11",
    rule: clusterBounds,
    breaks: {
      "commands that nobody answers": (stage) => {
        for (let i = 1; i < 400; i++) stage.record({ commands: [command(`${i}.1`)] });
        stage.after(second);
      },
      "the timer of an operation that has ended": (stage) => {
        stage.record({ changes: [operationPut("done")], timers: [operationDue] });
        stage.after(second);
      },
    },
    keeps: (stage) => {
      stage.record({ changes: [operationPut("running")], timers: [operationDue] });
      for (let i = 1; i < 10; i++) stage.record({ commands: [command(`${i}.1`)] });
      stage.after(second);
    },
  },
  {
    id: "C12",
    rule: fairLosses,
    breaks: {
      "a node is lost while all is well": (stage) => {
        stage.after(60 * second);
        lose(stage);
      },
    },
    keeps: (stage) => {
      stage.after(60 * second);
      stage.saw({ type: "nodeEnded", node: two, isMachine: false });
      stage.after(2 * second);
      lose(stage);
    },
  },
  {
    id: "C13",
    rule: expectedInputs,
    breaks: {
      "a rule throws": (stage) =>
        stage.record({ type: "RuleFailed", data: { rule: "r", event: "e", reason: "x" } }),
    },
    keeps: (stage) => stage.record({ dead: "no rule is on Said" }),
  },
  {
    id: "C14",
    rule: leftAlone,
    breaks: {
      "a move while the breaker is open": (stage) => {
        const breaker = { since: 0, reason: "", nodes: ["node-2"] };
        stage.record({ changes: [cluster({ breaker }), nodePut("node-2", { state: "down" })] });
        stage.record({
          type: "ServiceMoved",
          data: { service: "web", from: "node-2", to: "node-1" },
        });
      },
      "a start in maintenance": (stage) => {
        stage.record({ changes: [nodePut("node-1", { mode: "maintenance" })] });
        stage.record({ commands: [start("2.1", "node-1", "web@node-1#1")] });
      },
    },
    keeps: (stage) => {
      stage.record({ changes: [cluster({}), nodePut("node-2", { state: "down" })] });
      stage.record({
        type: "ServiceMoved",
        data: { service: "web", from: "node-2", to: "node-1" },
      });
      stage.record({ commands: [start("2.1", "node-1", "web@node-1#1")] });
    },
  },
  {
    id: "C15",
    rule: wishesEnd,
    breaks: {
      "an answer that no record stands behind": (stage) => {
        stage.asked.push({ ...asked, index: 3 });
        stage.after(second);
      },
    },
    keeps: (stage) => {
      stage.record({ origin: { type: "client", id: asked.id } });
      stage.asked.push({ ...asked, index: 1 });
      stage.after(second);
    },
  },
  {
    id: "C17",
    rule: oneCluster,
    breaks: {
      "complete nodes of two clusters": (stage) => {
        stage.saw(saved(setupOf(three)));
        stage.saw(saved(setupOf(three, { clusterId: uuid(101) }), two));
      },
      "two who tell of a cluster each": (stage) => {
        stage.saw(told([peer(1), peer(2)]));
        stage.saw(told([peer(2), peer(1)], uuid(101), two));
      },
    },
    keeps: (stage) => {
      stage.saw(told([peer(1), peer(2)]));
      stage.saw({ type: "setupLost", node: one });
      stage.saw(told([peer(1), peer(2)], uuid(101)));
      stage.saw(saved(setupOf(three, { clusterId: uuid(101) })));
    },
  },
  {
    id: "C18",
    rule: oneAgency,
    breaks: {
      "two sets of tracking nodes": (stage) => {
        stage.saw(saved(setupOf(three)));
        stage.saw(saved(setupOf([peer(1), peer(2), peer(4)]), two));
      },
      "a complete cluster with fewer than wanted": (stage) =>
        stage.saw(saved(setupOf([peer(1), peer(2)], { phase: "complete" }))),
      "a hello that is answered with others": (stage) => {
        stage.saw(saved(setupOf(three)));
        stage.saw(told([peer(1), peer(2), peer(4)]));
      },
    },
    keeps: (stage) => {
      stage.saw(saved(setupOf([peer(1), peer(2)])));
      stage.saw(saved(setupOf(three)));
      stage.saw(saved(setupOf([...three, peer(4, { role: "satellite" })]), two));
    },
  },
  {
    id: "C19",
    rule: joinedOnce,
    breaks: {
      "a name that is there twice": (stage) =>
        stage.saw(saved(setupOf([peer(1), peer(2), peer(3, { name: "node-2" })]))),
      "an id that is there twice": (stage) => stage.saw(told([peer(1), peer(2), peer(2)])),
      "a name that has another id later": (stage) => {
        stage.saw(saved(setupOf([peer(1), peer(2)])));
        stage.saw(saved(setupOf([peer(1), peer(2, { id: uuid(9) })]), two));
      },
    },
    keeps: (stage) => {
      stage.saw(saved(setupOf([peer(1), peer(2)])));
      stage.saw(told([peer(1), peer(2)]));
      stage.saw(saved(setupOf([peer(2, { id: uuid(9) })], { clusterId: uuid(101) }), two));
    },
  },
  {
    id: "C20",
    rule: setupsKept,
    breaks: {
      "a start that finds nothing": (stage) => {
        stage.saw(saved(setupOf([peer(1)])));
        stage.saw(found(null));
      },
      "a start that finds an older one": (stage) => {
        stage.saw(saved(setupOf([peer(1)])));
        stage.saw(saved(setupOf([peer(1), peer(2)])));
        stage.saw(found(setupOf([peer(1)])));
      },
      "a configuration that is told before it is kept": (stage) => {
        stage.saw(saved(setupOf([peer(1)])));
        stage.saw({ type: "setupSaving", node: one, setup: setupOf([peer(1), peer(2)]) });
        stage.saw(told([peer(1), peer(2)]));
      },
    },
    keeps: (stage) => {
      stage.saw(saved(setupOf([peer(1)])));
      stage.saw({ type: "setupSaving", node: one, setup: setupOf([peer(1), peer(2)]) });
      stage.saw(found(setupOf([peer(1), peer(2)])));
      stage.saw(told([peer(1), peer(2)]));
    },
  },
];

test("C5 is not broken by what stands still with a machine whose pause goes on", () => {
  const stage = new Stage(exclusive());
  stage.launch("web@node-1#1", 0, 1);
  stage.pausesUntil(one, 2 * second);
  stage.after(second);
  stage.launch("web@node-2#1", 1, 2);
  stage.after(2 * second);
  expect(brokenBy(() => stage.launch("web@node-1#2", 0, 3))).toBe("C5");
});

describe("C21", () => {
  const missingOf = (more: object): string | null => {
    const stage = new Stage(allJoined());
    stage.bootstraps(more);
    return stage.missing;
  };

  test("misses a node that has not joined, and one whose start was refused", () => {
    expect(missingOf({ status: "begins", setup: null })).toBe("C21: node-1 has not joined");
    const refusal = { code: "HAL_CONFLICT", message: "its name is taken" };
    expect(missingOf({ setup: null, refusal })).toBe("C21: node-1 was refused: its name is taken");
  });

  test("misses none that has joined, and none that is dead", () => {
    expect(missingOf({ setup: setupOf(three) })).toBeNull();
    expect(missingOf({ status: "dead", setup: null })).toBeNull();
  });
});

const asked = {
  id: "wish-1",
  type: "ServiceStopRequested",
  data: {},
  sinceUs: 0,
  epoch: 1,
  tries: 1,
  index: null,
  refusal: null,
};

function lose(stage: Stage): void {
  stage.saw({
    type: "observed",
    leader: one,
    observation: "NodeLost",
    node: "node-2",
    incarnation: 1,
    reason: "silence",
  });
}

describe.each(cases)("$id", ({ id, rule, breaks, keeps }) => {
  test.each(Object.entries(breaks))("is broken by %s", (_name, happens) => {
    const stage = new Stage(rule());
    const broken = brokenBy(() => happens(stage));
    expect(broken).toBe(id);
  });

  test("is not broken by the nearest that is right", () => {
    expect(brokenBy(() => keeps(new Stage(rule())))).toBeNull();
  });
});

function brokenBy(happens: () => void): string | null {
  try {
    happens();
    return null;
  } catch (error) {
    if (error instanceof ViolationError) return error.invariant;
    throw error;
  }
}

describe("C8", () => {
  const resources = ["a", "b"].map((id) => ({ kind: "Node", id, attributes: {} }));
  const slot = { kind: "ServiceName", id: "web@a", attributes: {} };
  const provides = (from: string) => ({ from, name: "provides", to: "ServiceName/web@a" }) as const;

  test.each([
    ["an edge without its end", [provides("Node/a")], resources, "there is no ServiceName/web@a"],
    [
      "two ends where one may be",
      [provides("Node/a"), provides("Node/b")],
      [...resources, slot],
      "more than one",
    ],
    [
      "an unknown relation",
      [{ ...provides("Node/a"), name: "likes" }],
      [...resources, slot],
      "is no relation",
    ],
  ])("finds %s", (_name, relations, all, flaw) => {
    expect(flawOf({ relations: relations as never, resources: all as never })).toContain(flaw);
  });

  test("finds nothing wrong with a slot of one node", () => {
    const relations = [provides("Node/a")] as never;
    expect(flawOf({ relations, resources: [...resources, slot] as never })).toBeNull();
  });
});

describe("C16", () => {
  const wanted = [nodePut("node-1", {}), nodePut("node-2", {}), servicePut, slotPut, wants];
  const running = [
    instancePut("web@node-1#1", {}),
    relate("ServiceInstance/web@node-1#1", "holds", "ServiceName/web@node-1"),
  ];

  test("misses what is wanted and not started", () => {
    const stage = new Stage(allRuns());
    stage.record({ changes: wanted });
    stage.after(10 * second);
    expect(stage.missing).toBe("C16: web@node-1 is wanted and not started");
  });

  test.each([
    ["is given up", {}, "C16: web is wanted on nodes that are down alone"],
    ["is in maintenance, where all stays", { mode: "maintenance" }, null],
  ])("misses a place on a node that is down and %s", (_name, more, missing) => {
    const stage = new Stage(allRuns());
    const deployment = put("Deployment", "web", {
      type: "web",
      on: "any-node",
      onNodeLoss: "move",
    });
    const places = relate("Deployment/web", "places", "ServiceName/web@node-1");
    const away = nodePut("node-1", { state: "down", ...more });
    stage.bury(one);
    stage.record({ changes: [away, nodePut("node-2", {}), servicePut, slotPut, wants] });
    stage.record({ changes: [deployment, places] });
    stage.after(10 * second);
    expect(stage.missing).toBe(missing);
  });

  test("misses the process of what the graph believes to run", () => {
    const stage = new Stage(allRuns());
    stage.record({ changes: [...wanted, ...running] });
    stage.after(10 * second);
    expect(stage.missing).toBe("C16: 0 processes of web@node-1#1 live");
  });

  test("misses the end of what hangs, and of what takes too much memory", () => {
    const stage = new Stage(allRuns());
    stage.record({ changes: [...wanted, ...running] });
    const runs = (more: object, script = {}): SimProcess =>
      ({
        pid: 1,
        slot: 0,
        instance: "web@node-1#1",
        state: "running",
        spawn: { manifest: { memoryMb: 64 } },
        script: { memoryMb: 50, ...script },
        plight: { hangsSinceUs: null, leaksSinceUs: null, ...more },
      }) as unknown as SimProcess;
    stage.after(10 * second);
    stage.alive(runs({ hangsSinceUs: 0 }));
    expect(stage.missing).toBe("C16: web@node-1#1 hangs, and nobody has ended it");
    stage.alive(runs({}, { memoryMb: 65 }));
    expect(stage.missing).toMatch(/^C16: web@node-1#1 takes more than its 64 MiB/);
    stage.alive(runs({}));
    expect(stage.missing).toBeNull();
  });
});
