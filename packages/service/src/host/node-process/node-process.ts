import { fileURLToPath } from "node:url";
import type { Exit, FailureCause } from "@halon/protocol";
import { limits } from "../limits.ts";
import { prepareEnd } from "../process/ending.ts";
import { homeOf, marksOf } from "../process/environment.ts";
import { capOutput, lastLines, outputTail, sizeOfOutput } from "../process/output.ts";
import type { ProcessId } from "../process/proc.ts";
import { describeExit, type ProcessRunner } from "../process/process-runner.ts";
import type { Runner, RunnerEvent, RunnerSpec } from "../runner.ts";
import { threadEntry } from "../thread-entry.ts";
import { connectService, type ServiceClient } from "../worker/client.ts";
import { serviceDataOf } from "../worker/service-data.ts";
import { workerEnvironment } from "../worker/spare.ts";
import { type Channel, openChannel } from "./channel.ts";

/** What the child has said last is read within this time of its end. */
const drainMs = 1_000;
/** It is asked to stop over its channel; a signal is only for what did not come from Halon. */
const manifest = { env: {}, stopSignal: "SIGTERM" } as const;

type Listener = (event: RunnerEvent) => void;

/** A Node process with one service, and the way to it; who starts it hands it over with `run`. */
export class NodeProcess {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly #spec: RunnerSpec;
  readonly #channel: Channel;
  readonly #client: ServiceClient;
  readonly #outputStart: number;
  #beatAt: number | undefined;
  #memoryKib: number | undefined;

  /** Opens the way for the child, which is not there yet. Throws HAL_CONFIG_INVALID for a secret that cannot be read. */
  constructor(spec: RunnerSpec, listener: Listener) {
    this.#spec = spec;
    const data = serviceDataOf(spec);
    this.#channel = openChannel(spec.directory);
    this.#outputStart = sizeOfOutput(spec.directory);
    const entry = fileURLToPath(threadEntry("node-process/entry"));
    const heap = `--max-old-space-size=${spec.manifest.memoryMb}`;
    this.command = [process.execPath, heap, entry];
    this.env = { ...workerEnvironment(process.env), ...marksOf(spec), ...this.#channel.env };
    this.#client = connectService(this.#channel.port, {
      peers: spec.peers,
      event: listener,
      beat: (memoryKib) => {
        this.#beatAt = performance.now();
        this.#memoryKib = memoryKib;
      },
    });
    this.#channel.port.postMessage({ service: data });
  }

  /** It was not started. */
  abandon(): void {
    this.#client.close("the process could not be started");
    this.#channel.close();
  }

  /** Takes over the process, which has just been started. */
  run(leader: ProcessId, listener: Listener): ProcessRunner {
    const spec = this.#spec;
    const client = this.#client;
    const cap = capOutput(spec.directory, limits.outputBytesMax);
    const ending = prepareEnd({ spec, process: manifest, leader, home: homeOf(spec) });
    let hasExited = false;
    const silent = () => {
      if (hasExited) return;
      const reason = "it has closed its way to halond, or filled it";
      listener({ type: "problem", code: "HAL_FAILED", reason, cause: "exception" });
    };
    // The end of the process closes it as well, and is told soon after.
    void this.#channel.closed.then(() => setTimeout(silent, drainMs).unref());
    const runner: Runner = {
      ...client,
      osPid: leader.pid,
      requestStop() {
        ending.wasAsked();
        client.requestStop();
      },
      kill: () => ending.kill(),
      silentMs: () => (this.#beatAt === undefined ? undefined : performance.now() - this.#beatAt),
      memoryMb: () => (this.#memoryKib === undefined ? undefined : this.#memoryKib / 1_024),
      release: () => false,
    };
    return {
      runner,
      // Loaded and ready are told by the service side.
      begin: () => undefined,
      leaderExited: (exit) => {
        if (hasExited) return;
        hasExited = true;
        ending.leaderExited(() => {
          cap.finish();
          void this.#drained().then(() => this.#reportExit(exit, listener));
        });
      },
    };
  }

  /** The exit may be heard before the last that it said. */
  async #drained(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs);
    });
    await Promise.race([this.#channel.closed, late]);
    clearTimeout(timer);
  }

  #reportExit(exit: Exit, listener: Listener): void {
    const { reason, cause } = this.#why(exit);
    this.#client.close(reason);
    this.#channel.close();
    listener({ type: "exited", exit, reason, cause });
  }

  #why(exit: Exit): { readonly reason: string; readonly cause: FailureCause } {
    const { directory } = this.#spec;
    const isAborted = exit.signal === "SIGABRT" || exit.code === 134;
    if (isAborted && outputTail(directory, this.#outputStart).includes("heap out of memory")) {
      return { reason: "memory: the heap is over memoryMb", cause: "memory" };
    }
    const lines = lastLines(directory, this.#outputStart);
    const last = lines.length === 0 ? "" : `; it last wrote:\n${lines.join("\n")}`;
    return { reason: `the process ${describeExit(exit)}${last}`, cause: "exit" };
  }
}
