import type { Json, JsonObject } from "@halon/protocol";
import { violated } from "../invariants/invariant.ts";
import { Prng } from "../prng.ts";
import type { Fault, Wish } from "../scenario.ts";
import { eventKind, type World } from "../world.ts";
import { askNode, crashNode, decidingNode } from "./control.ts";
import { MemberDesk } from "./members.ts";
import type { SimService } from "./scripts.ts";
import { configValueOf, digestOf, specOf, type Wanted } from "./specs.ts";
import type { OperatorAnswer, OperatorPort, SimNode } from "./world.ts";
import { clusterOf } from "./world.ts";

/** Before the same is asked again; µs. */
const retryUs = 200_000;
/** Tries of one operation; the answers in between come within their deadline. */
const triesMax = 10_000;
const relaunchGapUs = 300_000;
/** After the faults: whoever stays dead has been lost by then; µs. */
const knownLostUs = 8_000_000;

/** After the faults: so long people wait for answers to what they have asked before; µs. */
const answersUs = 6_000_000;

/** One thing that was asked for. Changed by its operators alone. */
export interface Asked {
  /** Id of the operation, and of the event that asks for it. */
  readonly id: string;
  readonly type: string;
  readonly data: JsonObject;
  readonly sinceUs: number;
  /** Epoch that decided when it was asked first; 0: none. */
  readonly epoch: number;
  tries: number;
  /** Index of the record that has it, once it is accepted. */
  index: number | null;
  /** Why it was not taken. */
  refusal: string | null;
}

const unasked: Wanted = { codeVersion: 1, configVersion: 1, isConfigBad: false };

/** The people of a run: they ask for what the scenario says, and ask again with the same id until they are answered. */
export class Operators implements OperatorPort {
  readonly asked: Asked[] = [];
  /** What was last asked of each service that was deployed, by its position in the settings. */
  readonly deployed = new Map<number, Wanted>();
  readonly members = new MemberDesk();
  private readonly prng: Prng;

  constructor(seed: number) {
    this.prng = new Prng(seed, "operators");
  }

  /** `b` is 0: the fault number `a` of the scenario is a wish, and due. 1: the operation number `a` is asked for again. 2: all faults have ended. 3: some time ago. 4: those who change members look again. */
  due(world: World, a: number, b: number): void {
    const wish = world.scenario.faults[a];
    if (b === 1) this.try(world, a);
    else if (b === 2) this.healSoon(world);
    else if (b === 3) this.ask(world, "BreakerResetRequested", {});
    else if (b === 4) this.members.look(world);
    else if (wish !== undefined && isWish(wish)) this.wish(world, wish);
  }

  wish(world: World, wish: Wish): void {
    switch (wish.type) {
      case "deploy":
        this.deploy(world, wish.services, wish.prune);
        return;
      case "upgrade": {
        const wanted = this.deployed.get(wish.service);
        if (wanted === undefined) return;
        this.deployed.set(wish.service, { ...wanted, codeVersion: wanted.codeVersion + 1 });
        this.deploy(world, [wish.service], false);
        return;
      }
      case "configure":
        this.configure(world, wish.service, wish.bad);
        return;
      case "relaunch":
        relaunch(world, wish.forUs);
        return;
      case "drain":
      case "resume":
      case "decommission": {
        const types = {
          drain: "NodeDrainRequested",
          resume: "NodeResumeRequested",
          decommission: "NodeRemoveRequested",
        };
        this.aboutNode(world, types[wish.type], wish.node, {});
        return;
      }
      case "maintain":
        this.aboutNode(world, "NodeMaintenanceRequested", wish.node, { on: wish.on });
        return;
      case "resetBreaker":
        this.ask(world, "BreakerResetRequested", {});
        return;
      case "changeMembers":
        this.members.wish(world, wish);
        return;
      default:
        this.aboutService(world, serviceRequests[wish.type], wish.service);
    }
  }

  /** What was asked for earlier and is decided later would take its place. */
  private healSoon(world: World): void {
    const isWaiting = this.asked.some(({ index, refusal }) => index === null && refusal === null);
    if (isWaiting && world.now < world.healedAt + answersUs)
      world.queue.push(world.now + retryUs, eventKind.wish, 0, 2, null);
    else this.heal(world);
  }

  /** After the faults: all nodes take services, all that is deployed starts, with a configuration that works. */
  heal(world: World): void {
    const { nodes } = clusterOf(world);
    this.ask(world, "BreakerResetRequested", {});
    nodes.forEach((node, slot) => {
      if (node.status !== "dead") this.aboutNode(world, "NodeResumeRequested", slot, {});
    });
    const services = withNamed(world, this.deployed.keys());
    for (const service of services) {
      const wanted = this.deployed.get(service) ?? unasked;
      if (wanted.isConfigBad) this.deployed.set(service, nextConfig(wanted, false));
    }
    if (services.length > 0) this.deploy(world, services, true);
    for (const service of services) this.aboutService(world, "ServiceStartRequested", service);
    // The loss of those that stay dead may trip it anew.
    world.queue.push(world.now + knownLostUs, eventKind.wish, 0, 3, null);
  }

  answered(world: World, ref: number, answer: OperatorAnswer): void {
    const asked = this.asked[ref];
    if (asked === undefined || asked.index !== null || asked.refusal !== null) return;
    switch (answer.type) {
      case "accepted":
        asked.index = answer.index;
        return;
      case "duplicate":
        if (asked.tries < 2) violated("C15", `${asked.id} was taken before it was asked for`);
        asked.index = answer.index ?? 0;
        return;
      case "refused":
        asked.refusal = answer.error.message;
        return;
      case "notLeader":
      case "unknown":
        world.queue.push(world.now + retryUs, eventKind.wish, ref, 1, null);
    }
  }

  /** Asks the one who decides once more, whatever was answered. */
  again(world: World, asked: Asked): void {
    const node = decidingNode(world);
    if (node === null) throw new Error(`nobody decides who could be asked for ${asked.id} again`);
    this.send(world, node, this.asked.indexOf(asked), asked);
  }

  private deploy(world: World, positions: readonly number[], prune: boolean): void {
    const { settings } = clusterOf(world);
    const services = positions.flatMap((position) => {
      const service = settings.services[position];
      if (service === undefined) return [];
      const wanted = this.deployed.get(position) ?? unasked;
      this.deployed.set(position, wanted);
      return [[service, wanted] as const];
    });
    if (prune)
      for (const position of [...this.deployed.keys()])
        if (!positions.includes(position)) this.deployed.delete(position);
    const spec = specOf(settings, services, prune);
    this.ask(world, "ClusterApplied", { spec: JSON.parse(JSON.stringify(spec)) as Json });
  }

  private configure(world: World, position: number, isBad: boolean): void {
    const service = serviceAt(world, position);
    const wanted = this.deployed.get(position);
    if (service === undefined || wanted === undefined) return;
    const next = nextConfig(wanted, isBad);
    this.deployed.set(position, next);
    const config = configValueOf(next);
    const configHash = digestOf(config);
    this.ask(world, "ConfigurationRequested", { service: service.name, config, configHash });
  }

  private aboutService(world: World, type: string, position: number): void {
    const service = serviceAt(world, position);
    if (service !== undefined) this.ask(world, type, { service: service.name });
  }

  private aboutNode(world: World, type: string, slot: number, data: JsonObject): void {
    const { nodes } = clusterOf(world);
    const node = nodes[slot % nodes.length];
    if (node !== undefined) this.ask(world, type, { node: node.name, ...data });
  }

  ask(world: World, type: string, data: JsonObject): void {
    const id = `wish-${this.asked.length + 1}`;
    const epoch = decidingNode(world)?.coordinator?.decider?.epoch ?? 0;
    this.asked.push({
      id,
      type,
      data: { operation: id, ...data },
      sinceUs: world.now,
      epoch,
      tries: 0,
      index: null,
      refusal: null,
    });
    world.trace.note(world.now, `an operator asks for ${type} as ${id} ${textOf(data)}`);
    this.try(world, this.asked.length - 1);
  }

  private try(world: World, ref: number): void {
    const asked = this.asked[ref];
    if (asked === undefined || asked.tries >= triesMax) return;
    const node = this.nodeToAsk(world);
    if (node === null) {
      asked.tries += 1;
      world.queue.push(world.now + retryUs, eventKind.wish, ref, 1, null);
    } else this.send(world, node, ref, asked);
  }

  private send(world: World, node: SimNode, ref: number, asked: Asked): void {
    asked.tries += 1;
    const { id, type, data } = asked;
    askNode(world, node, { ref, id, event: { type, version: 1, data } });
  }

  /** The one who decides, as a person who looks around finds it; any other in a tenth of the tries. */
  private nodeToAsk(world: World): SimNode | null {
    const deciding = decidingNode(world);
    if (deciding !== null && !this.prng.chance(100)) return deciding;
    const up = clusterOf(world).nodes.filter(({ status }) => status === "up");
    return up[this.prng.below(up.length)] ?? null;
  }
}

const serviceRequests = {
  startService: "ServiceStartRequested",
  stopService: "ServiceStopRequested",
  restartService: "ServiceRestartRequested",
  checkService: "ServiceCheckRequested",
  statusService: "ServiceStatusRequested",
} as const;

const wishTypes: ReadonlySet<string> = new Set<Wish["type"]>([
  "deploy",
  "upgrade",
  "configure",
  "startService",
  "stopService",
  "restartService",
  "checkService",
  "statusService",
  "drain",
  "resume",
  "decommission",
  "maintain",
  "resetBreaker",
  "relaunch",
  "changeMembers",
]);

/** Whether an operator asks for it. */
export function isWish(fault: Fault): fault is Wish {
  return wishTypes.has(fault.type);
}

/** These services and all that they name: a file that names what is not in the cluster is refused. */
function withNamed(world: World, positions: Iterable<number>): readonly number[] {
  const { services } = clusterOf(world).settings;
  const all = new Set(positions);
  // What is added on the way is looked at as well.
  for (const position of all) {
    const { apart = [], after = [] } = services[position] ?? {};
    for (const name of [...apart, ...after])
      all.add(services.findIndex((service) => service.name === name));
  }
  return [...all];
}

function nextConfig(wanted: Wanted, isConfigBad: boolean): Wanted {
  return { ...wanted, configVersion: wanted.configVersion + 1, isConfigBad };
}

function serviceAt(world: World, position: number): SimService | undefined {
  return clusterOf(world).settings.services[position];
}

/** Every node is stopped and started again, each a little later than the one before. */
function relaunch(world: World, forUs: number): void {
  clusterOf(world).nodes.forEach((node, slot) => {
    if (node.status === "up") crashNode(world, node, forUs + slot * relaunchGapUs, "prefix");
  });
}

function textOf(data: JsonObject): string {
  const { service, node } = data;
  return `${service ?? node ?? ""}`;
}
