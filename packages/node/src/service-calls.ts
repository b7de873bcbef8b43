import type { ActorSystem } from "@halon/actor";
import { type ApiPorts, type Client, createClient } from "@halon/api";
import { type GraphView, HalonError, Health, type Json, toErrorData } from "@halon/protocol";
import type { ServiceDirectory } from "@halon/service/host";
import { z } from "zod";
import type { NodeProcessor } from "./processor/processor.ts";
import { checkMessage, checkNameOf, processNameOf } from "./service-processes.ts";

/** Time for the way there and back, beside what the service itself may take. */
const wayMs = 500;
/** How long a service waits for the answer of another. */
const peerTimeoutMs = 10_000;
/** Nodes to which a connection is kept open. */
const clientsMax = 64;

export interface ServiceCallsOptions {
  readonly node: string;
  readonly system: ActorSystem;
  /** The replica: who runs where, as this node knows it. */
  graph(): GraphView;
  /** Takes the events that services publish; undefined while the node starts. */
  processor(): Pick<NodeProcessor, "take"> | undefined;
}

type Answer = Awaited<ReturnType<ApiPorts["send"]>>;

/** Of another version's node it may be anything. */
const CheckAnswer = z.object({ health: Health, detail: z.string().optional() });

/** An instance, and where it runs. */
interface InstanceAt {
  readonly service: string;
  readonly node: string;
  readonly instance: string;
}

interface Call {
  readonly instance: string | undefined;
  readonly message: string;
  readonly args: readonly Json[];
  readonly timeoutMs: number;
}

/**
 * Calls messages of services, wherever they run, as the replica of this node has it; no leader is needed.
 *
 * A call is tried once: over the link where there is one to the node, else by a request to its address. Who gets such a
 * request for a service of its own answers it, and never sends it on.
 */
export class ServiceCalls implements ServiceDirectory {
  readonly #options: ServiceCallsOptions;
  readonly #clients = new Map<string, Client>();

  constructor(options: ServiceCallsOptions) {
    this.#options = options;
  }

  /** As of `ApiPorts`. */
  readonly send: ApiPorts["send"] = async (service, { on, instance, message, args }, timeoutMs) => {
    const node = on ?? this.#nodeOf(service);
    return await this.#call(service, node, { instance, message, args, timeoutMs });
  };

  async lookup(service: string) {
    return runningOf(this.#options.graph(), service).map(({ id, attributes }) => ({
      instance: id,
      node: attributes.node,
    }));
  }

  async call(instance: string, message: string, args: readonly Json[]): Promise<Json> {
    const known = this.#options.graph().get("ServiceInstance", instance);
    if (known === undefined) throw notRunning(`${instance} is not known here`);
    const { service, node } = known.attributes;
    const call = { instance, message, args, timeoutMs: peerTimeoutMs };
    return (await this.#call(service, node, call)).answer;
  }

  async publish(type: string, data: Json): Promise<void> {
    const processor = this.#options.processor();
    if (processor === undefined)
      throw new HalonError("HAL_OVERLOADED", "The node is starting. Try again in a second.");
    processor.take([{ type, data }]);
  }

  /** What the instance answers to a check of its own node; as a call, once and by whoever has its node's link or address. */
  async check(
    { service, node, instance }: InstanceAt,
    timeoutMs: number,
  ): Promise<z.infer<typeof CheckAnswer>> {
    const call = { instance, message: checkMessage, args: [], timeoutMs };
    return CheckAnswer.parse((await this.#call(service, node, call)).answer);
  }

  async close(): Promise<void> {
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(clients.map((client) => client.close()));
  }

  /** This node, when it runs the service, and else the first in the order of nodes. */
  #nodeOf(service: string): string {
    const nodes = runningOf(this.#options.graph(), service).map(
      ({ attributes }) => attributes.node,
    );
    const own = nodes.find((node) => node === this.#options.node);
    const [first] = nodes;
    if (first === undefined) throw notRunning(`No instance of ${service} runs`);
    return own ?? first;
  }

  async #call(service: string, node: string, call: Call): Promise<Answer> {
    const { system, node: self } = this.#options;
    if (node !== self && !system.nodes().includes(node)) return this.#request(service, node, call);
    const { message, timeoutMs } = call;
    const name = message === checkMessage ? checkNameOf(service) : processNameOf(service);
    try {
      return await system.call<Answer>({ name, node }, plain(call), {
        timeoutMs: timeoutMs + wayMs,
      });
    } catch (error) {
      if (toErrorData(error).code !== "HAL_NO_PROCESS") throw error;
      throw notRunning(`No instance of ${service} runs on ${node}`);
    }
  }

  #request(service: string, node: string, { timeoutMs, ...call }: Call): Promise<Answer> {
    const address = this.#options.graph().get("Node", node)?.attributes.address;
    if (address === undefined) throw notRunning(`There is no node ${node}`);
    const { instance, message, args } = call;
    const body = { on: node, message, args: [...args] as never };
    return this.#clientOf(address).send(
      service,
      instance === undefined ? body : { ...body, instance },
      timeoutMs,
    ) as Promise<Answer>;
  }

  #clientOf(address: string): Client {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const [oldest] = this.#clients;
    if (oldest !== undefined && this.#clients.size >= clientsMax) {
      this.#clients.delete(oldest[0]);
      void oldest[1].close();
    }
    const client = createClient({ endpoints: [address], timeoutMs: peerTimeoutMs });
    this.#clients.set(address, client);
    return client;
  }
}

function runningOf(graph: GraphView, service: string) {
  return graph
    .list("ServiceInstance", { service })
    .filter(({ attributes: { state } }) => state === "running" || state === "degraded");
}

function plain({ instance, ...call }: Call): object {
  return instance === undefined ? call : { ...call, instance };
}

function notRunning(what: string): HalonError {
  return new HalonError(
    "HAL_SERVICE_NOT_RUNNING",
    `${what}. Look where it runs with \`halonctl service list\`, or start it.`,
  );
}
