import { type CoordinatorState, encodeSnapshot } from "@halon/coordinator/core";
import { type AttributesOf, type GraphView, keyOf } from "@halon/protocol";
import { decidingNode } from "./cluster/control.ts";
import { stateOf } from "./cluster/coordinator-thread.ts";
import { ClusterRuleSet } from "./cluster/invariants/rules.ts";
import type { SimProcess } from "./cluster/processes.ts";
import { type ClusterWorld, clusterOf, type SimNode } from "./cluster/world.ts";
import type {
  DecidedEvent,
  Fired,
  Life,
  Observed,
  StageNotes,
  TakenCommand,
  Takeover,
} from "./stage-notes.ts";
import type { World } from "./world.ts";

/** What can be seen of a simulated cluster at a moment, and what it has decided so far. */
export class StageView {
  readonly #world: World;
  readonly #cluster: ClusterWorld;
  readonly #rules: ClusterRuleSet;
  readonly #notes: StageNotes;

  constructor(world: World, notes: StageNotes) {
    this.#world = world;
    this.#notes = notes;
    this.#cluster = clusterOf(world);
    const { rules } = this.#cluster;
    if (!(rules instanceof ClusterRuleSet)) throw new Error("a stage needs rules of its own");
    this.#rules = rules;
  }

  get nowMs(): number {
    return this.#world.now / 1_000;
  }

  /** What is committed: the fold of all records that anybody may rest on. */
  get committed(): CoordinatorState {
    return this.#rules.committed;
  }

  /** The graph as it is committed. */
  get graph(): GraphView {
    return this.committed.graph;
  }

  /** Name of the node whose coordinator decides. */
  leader(): string | null {
    return decidingNode(this.#world)?.name ?? null;
  }

  /** Epoch under which that one decides; 0 when none does. */
  epoch(): number {
    return decidingNode(this.#world)?.coordinator?.decider?.epoch ?? 0;
  }

  /** The node as the graph has it. */
  node(name: string): AttributesOf<"Node"> | undefined {
    return this.graph.get("Node", name)?.attributes;
  }

  /** Whether `halond` runs there. */
  isUp(name: string): boolean {
    return this.nodeAt(name).status === "up";
  }

  /** Processes of the service that live, by node. */
  processes(service: string): readonly SimProcess[] {
    return [...this.#cluster.services.processes.values()]
      .filter((process) => process.service === service)
      .sort((one, other) => one.slot - other.slot);
  }

  /** Names of the nodes where it runs and the graph says so. */
  runsOn(service: string): readonly string[] {
    return this.processes(service)
      .filter(({ instance, state }) => {
        const known = this.graph.get("ServiceInstance", instance)?.attributes.state;
        return state === "running" && (known === "running" || known === "degraded");
      })
      .map(({ slot }) => this.#cluster.nodes[slot]?.name ?? "");
  }

  runs(service: string, on?: string): boolean {
    const nodes = this.runsOn(service);
    return on === undefined ? nodes.length > 0 : nodes.includes(on);
  }

  /** The instances of the service in the graph, with their ids. */
  instances(
    service: string,
  ): readonly (AttributesOf<"ServiceInstance"> & { readonly id: string })[] {
    return this.graph
      .list("ServiceInstance", { service })
      .map(({ id, attributes }) => ({ id, ...attributes }));
  }

  /** Its slot on a node. */
  slot(service: string, node: string): AttributesOf<"ServiceName"> | undefined {
    return this.graph.get("ServiceName", `${service}@${node}`)?.attributes;
  }

  /** What rules of this name have decided, oldest first. */
  fired(rule?: string): readonly Fired[] {
    const { fired } = this.#notes;
    return rule === undefined ? fired : fired.filter((one) => one.rule === rule);
  }

  /** Events of this type that were decided, oldest first. */
  events(type: string): readonly DecidedEvent[] {
    return this.#notes.events.filter((event) => event.type === type);
  }

  /** What leaders concluded of the node, oldest first. */
  observed(node: string, type?: Observed["type"]): readonly Observed[] {
    return this.#notes.observed.filter(
      (one) => one.node === node && (type === undefined || one.type === type),
    );
  }

  /** The lives of all that ran of the service, oldest first. */
  lives(service: string): readonly Life[] {
    return this.#notes.lives.filter((life) => life.service === service);
  }

  /** When a node was granted leases, oldest first; ms. */
  grants(to: string): readonly number[] {
    return this.#notes.grants.filter((grant) => grant.to === to).map(({ atMs }) => atMs);
  }

  /** When a leader granted leases, oldest first; ms. */
  grantsOf(leader: string): readonly number[] {
    return this.#notes.grants.filter((grant) => grant.leader === leader).map(({ atMs }) => atMs);
  }

  /** Names of the nodes where the deployment is wanted now, sorted. */
  places(service: string): readonly string[] {
    return this.graph
      .out(keyOf("Deployment", service), "places", "ServiceName")
      .map(({ attributes }) => attributes.node)
      .sort();
  }

  /** Names of the nodes whose supervisors watch that of the node, sorted. */
  watchers(node: string): readonly string[] {
    return this.graph
      .in(keyOf("Supervisor", node), "monitors", "Supervisor")
      .map(({ id }) => id)
      .sort();
  }

  /** The breaker, while it is tripped. */
  breaker(): AttributesOf<"Cluster">["breaker"] {
    return this.graph.list("Cluster")[0]?.attributes.breaker;
  }

  /** Commands of this type that came to nodes, each time that they came, oldest first. */
  taken(type?: string): readonly TakenCommand[] {
    const { taken } = this.#notes;
    return type === undefined ? taken : taken.filter((one) => one.type === type);
  }

  /** Coordinators that began to decide, oldest first. */
  takeovers(): readonly Takeover[] {
    return this.#notes.takeovers;
  }

  /** Indexes of records of which a coordinator did not learn what became of them. */
  unknownOutcomes(): readonly number[] {
    return this.#notes.unknown;
  }

  /** All that the coordinator of the node knows, as a snapshot has it; null while it has none. */
  knownAt(name: string): string | null {
    const { coordinator } = this.nodeAt(name);
    return coordinator === null ? null : encodeSnapshot(stateOf(coordinator));
  }

  /** The last events as text. */
  transcript(): readonly string[] {
    return this.#world.trace.lines();
  }

  /** The node of this name. */
  protected nodeAt(name: string): SimNode {
    const node = this.#cluster.byName.get(name);
    if (node !== undefined) return node;
    throw new Error(`there is no node ${name}; there are ${[...this.#cluster.byName.keys()]}`);
  }
}
