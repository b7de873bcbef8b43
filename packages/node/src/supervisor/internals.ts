import type { ActorSystem } from "@halon/actor";
import { type CommandAction, type GraphView, type InternalPart, keyOf } from "@halon/protocol";
import type { Runtime } from "@halon/service/host";
import type { Logger } from "pino";
import type { Agent } from "../agent.ts";
import type { Arrival } from "../beat/arrival.ts";
import { SupervisorWatch } from "../core/supervisor-watch.ts";
import type { MemberHost } from "../member/host.ts";
import { NodeProcessor, type NodeProcessorOptions } from "../processor/processor.ts";
import type { Replica } from "../replica.ts";
import type { Station } from "../station/station.ts";
import { ForeignWatching, type ForeignWatchingOptions } from "./foreign-watching.ts";
import { type PartAnswers, Parts } from "./parts.ts";
import { Supervision } from "./supervision.ts";

/** Parts are looked at so often; what changed meanwhile is told then. */
const lookEveryMs = 1_000;

export interface InternalsOptions {
  readonly node: string;
  readonly incarnation: number;
  readonly system: ActorSystem;
  readonly runtime: Runtime;
  readonly replica: Pick<Replica, "view" | "events">;
  readonly blobs: NodeProcessorOptions["blobs"];
  readonly agent: Pick<Agent, "emit" | "publish" | "waiting">;
  readonly log: Logger;
  /** The supervisor has looked at the instances once more. */
  turned(): void;
  /** Asks for the check of an instance of another node. */
  check: ForeignWatchingOptions["check"];
}

/** The parts of Halon on this node, seen as services, and the supervisor among them. */
export class Internals {
  readonly #parts: Parts;
  readonly #supervision: Supervision;
  readonly #options: InternalsOptions;
  /** Runs rule files beside the events of this node. */
  readonly processor: NodeProcessor;
  readonly #watch = new SupervisorWatch();
  readonly #look: NodeJS.Timeout;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: InternalsOptions) {
    this.#options = options;
    const { node, incarnation, replica, blobs, agent, log } = options;
    const emit = (type: string, data: unknown): void => agent.emit(type, data);
    const view = (): GraphView => replica.view;
    const parts = new Parts({ node, incarnation, emit });
    this.#parts = parts;
    const answers: PartAnswers = {
      check: () => ({ state: "running", health: "ok" }),
      status: () => ({
        starts: this.#supervision.starts,
        monitored: this.#supervision.monitors,
        ofOtherNodes: this.#supervision.others,
        running: options.runtime.inventory().length,
      }),
    };
    this.#supervision = new Supervision({
      ...options,
      view,
      emit,
      began: () => parts.begin("halon-supervisor", answers),
      watchOthers: () => new ForeignWatching({ ...options, view, emit }),
    });
    this.processor = new NodeProcessor({
      node,
      replica,
      blobs,
      log,
      waiting: () => agent.waiting,
      emit,
      publish: (event) => agent.publish(event),
      began: (processor) => parts.begin("halon-processor", processor),
    });
    this.#look = setInterval(() => parts.look(), lookEveryMs);
    this.#look.unref();
  }

  /** Looks at the supervisors that this one monitors, as their beats tell of them. */
  hear(arrivals: readonly Arrival[]): void {
    const { node: by, agent, replica } = this.#options;
    const { view } = replica;
    const watched = view.out(keyOf("Supervisor", by), "monitors", "Supervisor");
    this.#watch.keep(new Set(watched.map(({ id }) => id)));
    for (const { node, incarnation, at, counters } of arrivals) {
      const supervisor = watched.find(({ id }) => id === node);
      if (supervisor === undefined) continue;
      const { main, supervisor: looks } = counters;
      const start = supervisor.attributes.incarnation ?? 0;
      const reason = this.#watch.heard(node, { incarnation, start, main, supervisor: looks, at });
      if (reason === null) continue;
      agent.emit("SupervisorFailed", { node, by, incarnation: start, reason });
    }
  }

  inventory(): InternalPart[] {
    return this.#parts.inventory();
  }

  /** Whether the command is for a part of Halon: then it is carried out. */
  perform(action: CommandAction, command: string): boolean {
    if (action.type !== "RestartSupervisor") return this.#parts.perform(action, command);
    this.#supervision.restart(command);
    return true;
  }

  /** The node is of the tracking station: its member, where it has one, its recovery supervisor and coordinator. */
  track(station: Station, member: MemberHost | undefined): void {
    if (member !== undefined) this.#trackMember(member);
    let restarts = -1;
    const coordinator: PartAnswers = {
      check: () => coordinatorOf(station),
      status: () => ({ ...station.status, waitsFor: station.leads ? null : station.waitsFor }),
    };
    this.#parts.begin("halon-recovery", {
      check() {
        const { reason } = station.status;
        return {
          state: "running",
          health: "ok",
          ...(reason === null ? {} : { detail: `the last coordinator ended: ${reason}` }),
        };
      },
      status: () => ({ ...station.status }),
    });
    const follow = (): void => {
      if (station.status.restarts === restarts) return;
      restarts = station.status.restarts;
      this.#parts.begin("halon-coordinator", coordinator);
    };
    follow();
    this.#poll = setInterval(() => {
      follow();
      this.#parts.look();
    }, lookEveryMs / 4);
    this.#poll.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#look);
    clearInterval(this.#poll);
    await this.processor.close();
  }

  #trackMember(member: MemberHost): void {
    type Seen = Awaited<ReturnType<MemberHost["status"]>>;
    let seen: Seen | undefined;
    const ask = async (): Promise<void> => {
      seen = await member.status();
    };
    setInterval(() => void ask(), lookEveryMs).unref();
    void ask();
    this.#parts.begin("halon-agency", {
      check() {
        if (seen?.role === "unavailable") {
          return { state: "degraded", health: "fail", detail: seen.reason ?? "unavailable" };
        }
        return { state: "running", health: "ok", detail: seen?.role ?? "starting" };
      },
      status: async () => ({ ...(await member.status()) }),
    });
  }
}

function coordinatorOf(station: Station): ReturnType<PartAnswers["check"]> {
  const { phase, reason } = station.status;
  if (phase !== "starting") return { state: "running", health: "ok", detail: phase };
  return { state: "starting", health: "unknown", ...(reason === null ? {} : { detail: reason }) };
}
