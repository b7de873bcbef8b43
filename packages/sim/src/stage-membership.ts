import type { Setup, SetupOptions } from "@halon/node/core";
import { startNode } from "./cluster/bootstrap-start.ts";
import type { MemberTask } from "./cluster/members.ts";
import { Operators } from "./cluster/wishes.ts";
import { clusterOf, saw } from "./cluster/world.ts";
import { emptyDisk } from "./disk.ts";
import { leaderOf } from "./operator.ts";
import { emptySnapshot } from "./process.ts";
import type { StageNotes, ToldConfig } from "./stage-notes.ts";
import { StageView } from "./stage-view.ts";
import type { World } from "./world.ts";

/** How a cluster begins and who its members are: what a test sees of it, and what it asks for. */
export class StageMembership extends StageView {
  readonly #world: World;
  readonly #notes: StageNotes;

  constructor(world: World, notes: StageNotes) {
    super(world, notes);
    this.#world = world;
    this.#notes = notes;
  }

  /** What is in `setup.json` of the node; null: nothing. */
  setup(node: string): Setup | null {
    const found = this.nodeAt(node).setupDisk.read();
    return found.type === "setup" ? found.setup : null;
  }

  /** Names in the configuration that the node has kept, with their roles once it is complete. */
  peers(node: string): readonly string[] {
    const setup = this.setup(node);
    const isComplete = setup?.phase === "complete";
    return (setup?.peers ?? []).map(({ name, role }) => (isComplete ? `${name} ${role}` : name));
  }

  /** Whether the node runs and its cluster is not complete. */
  begins(node: string): boolean {
    return this.nodeAt(node).status === "begins";
  }

  /** Why its last start was refused; null: it was not. */
  refusal(node: string): string | null {
    return this.nodeAt(node).refusal?.message ?? null;
  }

  /** Configurations that were told to those that said hello, oldest first. */
  told(): readonly ToldConfig[] {
    return this.#notes.told;
  }

  /** Ids of all clusters that a node keeps. */
  clusterIds(): readonly string[] {
    const ids = clusterOf(this.#world).nodes.map(({ name }) => this.setup(name)?.clusterId ?? null);
    return [...new Set(ids.filter((id) => id !== null))];
  }

  /** Starts the `halond` of a node that is down, with these options in place of its own. */
  startNode(node: string, options: Partial<SetupOptions> = {}): void {
    const started = this.nodeAt(node);
    if (started.status !== "down") throw new Error(`${node} is ${started.status}`);
    started.startOptions = options;
    startNode(this.#world, started);
  }

  /** A node that is down loses its setup, or all of its data directory. */
  loseData(node: string, what: "setup" | "all"): void {
    const lost = this.nodeAt(node);
    const { status, setupDisk, member } = lost;
    if (status !== "down") throw new Error(`${node} is ${status}`);
    setupDisk.wipe();
    saw(this.#world, { type: "setupLost", node: lost });
    if (what === "setup") return;
    member.disk = emptyDisk(emptySnapshot({ members: [], voters: [], outgoing: [], learners: [] }));
    member.status = "absent";
  }

  /** A member alone is added, and promoted as far as that is safe. */
  addMember(): MemberTask {
    return this.#want("add", null);
  }

  /** The member of this node, or with this id, is removed from the agency. */
  removeMember(member: string): MemberTask {
    return this.#want("remove", this.#idOf(member));
  }

  /** A member alone takes the place of this one. */
  replaceMember(member: string): MemberTask {
    return this.#want("replace", this.#idOf(member));
  }

  /** Voters and learners of the agency as its leader has them: names of nodes, and ids of members alone, those with a `+`. */
  members(): readonly string[] {
    const configuration = leaderOf(this.#world)?.process?.raft.configuration;
    if (configuration === undefined) return [];
    const learners = configuration.learners.map((id) => `+${this.#nameOf(id)}`);
    return [...configuration.voters.map((id) => this.#nameOf(id)), ...learners].sort();
  }

  /** The member that leads the agency; null: none does. */
  leadingMember(): string | null {
    const leader = leaderOf(this.#world);
    return leader === null ? null : this.#nameOf(leader.id);
  }

  #want(change: "add" | "remove" | "replace", removed: string | null): MemberTask {
    const { operators } = clusterOf(this.#world);
    if (!(operators instanceof Operators)) throw new Error("a stage needs operators of its own");
    const { members } = operators;
    const at = this.#world.now;
    members.wish(this.#world, { at, type: "changeMembers", change, pick: 0 }, removed);
    const task = members.tasks.at(-1);
    if (task === undefined) throw new Error(`nobody wants to ${change} a member`);
    return task;
  }

  #idOf(member: string): string {
    return clusterOf(this.#world).byName.get(member)?.member.id ?? member;
  }

  #nameOf(id: string): string {
    const slot = this.#world.slots.get(id) ?? -1;
    return clusterOf(this.#world).nodes[slot]?.name ?? id;
  }
}
