import { MessageChannel, type Worker } from "node:worker_threads";
import type { Exit, FailureCause } from "@halon/protocol";
import { silentMsMax } from "../../core/supervision.ts";
import { limits } from "../limits.ts";
import type { Runner, RunnerEvent, RunnerSpec, StartRunner } from "../runner.ts";
import { connectService, type ServiceClient } from "./client.ts";
import { type HostPort, hostPortOf } from "./host-port.ts";
import { type OutputLog, openOutputLog } from "./output-log.ts";
import { serviceDataOf } from "./service-data.ts";
import { createWords, type SharedMessage, type ThreadData } from "./shared.ts";
import { takeThread } from "./spare.ts";
import { crashOf, createThreadWatch, type ThreadWatch } from "./thread-watch.ts";
import { SharedThreadEvent } from "./wire.ts";

const now = () => performance.now();

/** A thread in which several services run. */
interface SharedThread {
  readonly worker: Worker;
  readonly watch: ThreadWatch;
  /** Limit of its heap; all services in it ask for the same. */
  readonly memoryMb: number;
  /** The one service that may be in it, of a service that has ended a thread before. */
  readonly only: string | undefined;
  readonly residents: Map<number, Resident>;
  /** Slots of the last services that left it, for what is found out later. */
  readonly left: Map<number, RunnerSpec>;
  slots: number;
  crashes: number;
  /** Why it is being ended. */
  blame: Blame | undefined;
}

interface Blame {
  /** The service that it ends for; undefined: nobody can say. */
  readonly spec: RunnerSpec | undefined;
  readonly reason: string;
  readonly cause: FailureCause;
}

/** One service in it. */
interface Resident {
  readonly thread: SharedThread;
  readonly slot: number;
  readonly spec: RunnerSpec;
  readonly port: HostPort;
  readonly client: ServiceClient;
  readonly output: OutputLog;
  readonly listener: (event: RunnerEvent) => void;
  late: NodeJS.Timeout | undefined;
}

/** For the whole process, as the threads are. */
const threads = new Set<SharedThread>();
/** Services that have ended a shared thread, the oldest first. */
const solitary = new Set<string>();

/** Runs the service in a thread with others; see the README for what they have in common. */
export const startShared: StartRunner = (spec, listener) => {
  // First, as it throws when a secret cannot be read.
  const service = serviceDataOf(spec);
  const thread = threadFor(spec);
  thread.slots += 1;
  const slot = thread.slots;
  const { port1, port2 } = new MessageChannel();
  const port = hostPortOf(port1);
  const output = openOutputLog(spec.directory, now);
  const client = connectService(port, {
    event: listener,
    peers: spec.peers,
    output: (text) => output.write(Buffer.from(text)),
    ended: (code) => leave(resident, { code, signal: null }, `it ended with code ${code}`, "exit"),
  });
  const resident: Resident = {
    thread,
    slot,
    spec,
    port,
    client,
    output,
    listener,
    late: undefined,
  };
  thread.residents.set(slot, resident);
  const message: SharedMessage = { type: "serve", slot, service, port: port2 };
  thread.worker.postMessage(message, [port2]);
  return runnerOf(resident);
};

function runnerOf(resident: Resident): Runner {
  const { thread, slot, client } = resident;
  const { watch } = thread;
  // Where nobody can be named, it is each of them.
  const isMine = (blamed: number) => blamed === slot || blamed === 0;
  return {
    ...client,
    osPid: undefined,
    kill: () => drop(resident),
    silentMs: () => (isMine(watch.running()) ? watch.silentMs() : undefined),
    memoryMb: () => (isMine(watch.greediest()) ? watch.memoryMb() : undefined),
    release: () => false,
  };
}

/** Takes the service from its thread, or ends the thread where that is what it takes. */
function drop(resident: Resident): void {
  const { thread, slot, spec } = resident;
  if (!thread.residents.has(slot) || thread.blame !== undefined) return;
  if (thread.watch.silentMs() > silentMsMax) {
    end(thread, { spec, reason: "it hung", cause: "hung" });
    return;
  }
  if (thread.watch.memoryMb() > thread.memoryMb) {
    end(thread, { spec, reason: "it used too much memory", cause: "memory" });
    return;
  }
  const message: SharedMessage = { type: "drop", slot };
  thread.worker.postMessage(message);
  resident.late ??= setTimeout(() => {
    end(thread, { spec, reason: "it did not let go of the thread", cause: "hung" });
  }, limits.dropMs);
}

/** The service is gone from its thread, and nothing else is told of it. */
function leave(resident: Resident, exit: Exit, reason: string, cause: FailureCause): void {
  const { thread, slot, spec, client, port, output, listener } = resident;
  if (!thread.residents.delete(slot)) return;
  clearTimeout(resident.late);
  client.close(reason);
  port.close();
  void output.close();
  remember(thread, slot, spec);
  if (exit.code !== 0) thread.crashes += 1;
  listener({ type: "exited", exit, reason, cause });
  if (thread.residents.size === 0) keepOrEnd(thread);
}

function remember(thread: SharedThread, slot: number, spec: RunnerSpec): void {
  thread.left.set(slot, spec);
  const oldest = thread.left.keys().next().value;
  if (thread.left.size > limits.sharedServicesMax && oldest !== undefined) {
    thread.left.delete(oldest);
  }
}

function threadFor({ service, manifest: { memoryMb } }: RunnerSpec): SharedThread {
  const only = solitary.has(service) ? service : undefined;
  for (const thread of threads) {
    const fits = thread.memoryMb === memoryMb && thread.only === only;
    if (fits && hasRoom(thread)) {
      thread.worker.ref();
      return thread;
    }
  }
  return createShared(memoryMb, only);
}

function hasRoom(thread: SharedThread): boolean {
  if (thread.blame !== undefined || isWorn(thread)) return false;
  return thread.residents.size < limits.sharedServicesMax;
}

/** Each crash leaves a copy of its module behind, and whatever else it did not clean up. */
function isWorn(thread: SharedThread): boolean {
  return thread.crashes >= limits.sharedCrashesMax;
}

function createShared(memoryMb: number, only: string | undefined): SharedThread {
  const worker = takeThread(memoryMb);
  const words = createWords();
  const data: ThreadData = { type: "shared", words };
  worker.postMessage(data);
  const thread: SharedThread = {
    worker,
    watch: createThreadWatch(words, now),
    memoryMb,
    only,
    residents: new Map(),
    left: new Map(),
    slots: 0,
    crashes: 0,
    blame: undefined,
  };
  threads.add(thread);
  worker.on("message", (message: unknown) => {
    const event = SharedThreadEvent.safeParse(message);
    if (event.success) hear(thread, event.data);
  });
  worker.on("error", (error: unknown) => {
    thread.blame ??= blameFor(thread, error);
  });
  worker.on("exit", (code) => onExit(thread, code));
  // What is not a service's: a warning of Node, the trace of an exception that nobody can be blamed for.
  worker.stdout.resume();
  worker.stderr.resume();
  return thread;
}

function hear(thread: SharedThread, event: SharedThreadEvent): void {
  const resident = thread.residents.get(event.slot);
  if (event.type === "dropped") {
    if (resident === undefined) return;
    leave(resident, { code: null, signal: null }, "it was taken from its thread", "exit");
    return;
  }
  const spec = resident?.spec ?? thread.left.get(event.slot);
  end(thread, { spec, reason: "its code ran on after its end", cause: "hung" });
}

/** Whose error it is that the thread dies of. */
function blameFor(thread: SharedThread, error: unknown): Blame {
  const { reason, cause } = crashOf(error);
  if (cause !== "memory") return { spec: undefined, reason, cause };
  const { running, greediest } = thread.watch;
  const spec = thread.residents.get(running() || greediest())?.spec;
  return { spec, reason, cause };
}

function end(thread: SharedThread, blame: Blame): void {
  if (thread.blame !== undefined) return;
  thread.blame = blame;
  void thread.worker.terminate();
}

function onExit(thread: SharedThread, code: number): void {
  threads.delete(thread);
  const { spec, reason, cause } = thread.blame ?? {
    spec: undefined,
    reason: `exit code ${code}`,
    cause: "exit",
  };
  if (spec !== undefined) isolate(spec.service);
  const whose = spec === undefined ? reason : `because of ${spec.instance}: ${reason}`;
  for (const resident of [...thread.residents.values()]) {
    resident.port.drain();
    const exit = { code, signal: null };
    if (resident.spec === spec) leave(resident, exit, reason, cause);
    else leave(resident, exit, `the thread that it shares ended, ${whose}`, "exit");
  }
}

/** The next start of this service has a thread for itself, so that what it did once is not done to others again. */
function isolate(service: string): void {
  solitary.add(service);
  const oldest = solitary.values().next().value;
  if (solitary.size > limits.solitaryMax && oldest !== undefined) solitary.delete(oldest);
}

/** A thread without services waits for the next one, when there is not another that does. */
function keepOrEnd(thread: SharedThread): void {
  const { memoryMb, only, worker } = thread;
  const idle = [...threads].filter(
    (each) => each.memoryMb === memoryMb && each.only === undefined && each.residents.size === 0,
  );
  const isKept = only === undefined && !isWorn(thread) && idle.length <= limits.sharedIdleMax;
  if (isKept) worker.unref();
  else end(thread, { spec: undefined, reason: "no service is in it", cause: "exit" });
}
