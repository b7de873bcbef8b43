import { type ActorSystem, type Behaviour, supervisor } from "@halon/actor";
import { type GraphView, instanceId, keyOf, slotId } from "@halon/protocol";
import type { Runtime } from "@halon/service/host";
import type { ForeignWatching } from "./foreign-watching.ts";

/** Name of the process on every node that watches what runs there. */
export const supervisorName = "supervisor";
/** It tells that it goes on so often. */
const turnMs = 100;
/** Restarts of the process within a minute; more of them end it for good, which its watchers see. */
const intensity = 20;

export interface SupervisionOptions {
  readonly node: string;
  readonly incarnation: number;
  readonly system: ActorSystem;
  readonly runtime: Pick<Runtime, "supervise" | "looks">;
  view(): GraphView;
  emit(type: string, data: unknown): void;
  /** Counts up in the node's beats. */
  turned(): void;
  /** The process has begun, for the first time or again. */
  began(): void;
  /** Begins to watch what the graph sets this supervisor over on other nodes. */
  watchOthers(): Pick<ForeignWatching, "size" | "close">;
}

/** The node's supervisor: a process that is started again with the set that the graph holds (rfc/0008). */
export class Supervision {
  readonly #options: SupervisionOptions;
  #starts = 0;
  #monitors = 0;
  #others: Pick<ForeignWatching, "size" | "close"> | undefined;
  /** The command that asked for the restart under way. */
  #asked: string | undefined;

  constructor(options: SupervisionOptions) {
    this.#options = options;
    const child = {
      id: supervisorName,
      behaviour: this.#behaviour(),
      restart: "permanent" as const,
      shutdownMs: 1_000,
      options: { name: supervisorName, mailboxMax: 1_000 },
    };
    options.system.spawn(supervisor({ children: [child], intensity, periodMs: 60_000 }));
  }

  /** Starts since `halond` began. */
  get starts(): number {
    return this.#starts;
  }

  /** Instances that were watched when it last began. */
  get monitors(): number {
    return this.#monitors;
  }

  /** Instances of other nodes that are watched. */
  get others(): number {
    return this.#others?.size ?? 0;
  }

  /** Ends the process; it begins again at once, and `SupervisorStarted` answers the command. */
  restart(command: string): void {
    const { system } = this.#options;
    this.#asked = command;
    const pid = system.whereis(supervisorName);
    if (pid !== null) system.exit(pid, "killed");
  }

  #behaviour(): Behaviour {
    return ({ pid }) => {
      this.#begin();
      const { runtime, system, turned, watchOthers } = this.#options;
      const others = watchOthers();
      this.#others = others;
      let looks = runtime.looks();
      const end = (): void => {
        clearInterval(turn);
        others.close();
      };
      const turn = setInterval(() => {
        // A process that was killed is not asked before; its timer ends by itself.
        if (!system.isAlive(pid)) end();
        else if (runtime.looks() !== looks) turned();
        // Without a look in between nothing was watched, whatever this timer does.
        looks = runtime.looks();
      }, turnMs);
      turn.unref();
      return { receive: () => undefined, terminate: end };
    };
  }

  #begin(): void {
    const { node, incarnation, runtime, view, emit, began } = this.#options;
    this.#starts += 1;
    const key = keyOf("Supervisor", node);
    this.#monitors = runtime.supervise(
      (instance) =>
        // What the replica does not have yet has just been started.
        view().get("ServiceInstance", instance) === undefined ||
        view().related(key, "monitors", keyOf("ServiceInstance", instance)),
    );
    const command = this.#asked;
    this.#asked = undefined;
    const service = "halon-supervisor";
    emit("SupervisorStarted", {
      node,
      service,
      instance: instanceId(slotId(service, node), incarnation * 1_000 + this.#starts),
      ...(command === undefined ? {} : { command }),
      incarnation: incarnation * 1_000 + this.#starts,
      monitors: this.#monitors,
    });
    began();
  }
}
