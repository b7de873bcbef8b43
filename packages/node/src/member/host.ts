import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { errorCodes, HalonError } from "@halon/protocol";
import { isForMember, isLinkOfMember, type Pipe, pipeTo } from "./pipe.ts";
import { MemberRun, type RunEnd } from "./run.ts";
import type { MemberThreadData, MemberThreadStatus } from "./wire.ts";

/** Waits before a start after a crash, doubled each time. */
const restartMinMs = 500;
const restartMaxMs = 10_000;
/** Who has run so long has not crashed in a row. */
const soundMs = 60_000;

/** Who the member is, and what it tells. */
export interface MemberThreadOptions
  extends Pick<MemberThreadData, "dataDir" | "advertise" | "member" | "agencySize"> {
  /** One line for the operator. */
  readonly log: (line: string) => void;
  /** The member has ended for a reason that another start does not cure; called once. */
  readonly onEnd: (reason: string, exitCode: number) => void;
}

/** The member of the agency in a thread of its own, seen from the main thread. */
export interface MemberHost {
  /** The end of a channel for `openAgencyEngine`, to be handed to a thread; the channel before it is over. */
  openHostLog(): MessagePort;
  /** Answers a request of the agency; false: it is none, and nothing was done. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes an upgrade of a link that is for the agency; false: it is not. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Role `unavailable` while the thread does not run or does not answer. */
  status(): Promise<MemberThreadStatus>;
  /** Hands leadership over if it has it, and ends the thread. */
  close(): Promise<void>;
}

/**
 * Starts the member's thread, and again when it crashes or stands still.
 *
 * Resolves when the member has read its disk. `entry` is what the thread runs. Errors: as of `startMember` of
 * `@halon/agency`.
 */
export async function startMemberThread(
  options: MemberThreadOptions,
  entry = memberEntry(),
): Promise<MemberHost> {
  const host = new MemberThread(options, entry);
  await host.start();
  return host;
}

type State =
  /** Also while it reads its disk. */
  | { readonly type: "running"; readonly run: MemberRun; readonly since: number }
  | { readonly type: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly type: "over"; readonly reason: string };

class MemberThread implements MemberHost {
  readonly #options: MemberThreadOptions;
  readonly #entry: URL;
  readonly #dir: string;
  readonly #removeDir: () => void;
  readonly #pipe: Pipe;
  #runCount = 0;
  #crashesInRow = 0;
  #state: State = { type: "over", reason: "it was not started" };
  /** For the thread that comes next. */
  #hostLog: MessagePort | undefined;

  constructor(options: MemberThreadOptions, entry: URL) {
    this.#options = options;
    this.#entry = entry;
    this.#dir = makeDir(options.dataDir);
    this.#removeDir = () => rmSync(this.#dir, { recursive: true, force: true });
    process.once("exit", this.#removeDir);
    this.#pipe = pipeTo(() => this.#socketPath());
  }

  async start(): Promise<void> {
    const run = this.#run();
    const first = await run.opened;
    if (first === null) return;
    await this.close();
    if (first.type === "failed") throw first.error;
    throw new HalonError("HAL_INTERNAL", `The member of the agency did not start: ${first.reason}`);
  }

  openHostLog(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#hostLog?.close();
    this.#hostLog = undefined;
    if (this.#state.type === "over") port1.close();
    else if (this.#state.type === "running") this.#state.run.giveHostLog(port1);
    else this.#hostLog = port1;
    return port2;
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (!isForMember(request.url ?? "")) return false;
    this.#pipe.handle(request, response);
    return true;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (!isLinkOfMember(request.url ?? "")) return false;
    this.#pipe.upgrade(request, socket, head);
    return true;
  }

  async status(): Promise<MemberThreadStatus> {
    const state = this.#state;
    if (state.type === "running") return state.run.status();
    const reason = state.type === "over" ? state.reason : "its thread has crashed and starts again";
    return { role: "unavailable", term: 0, leaderId: null, leaderAddress: null, reason };
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#over("this node is stopping");
    if (state.type === "running") await state.run.stop();
    this.#removeDir();
    process.off("exit", this.#removeDir);
  }

  #socketPath(): string | null {
    return this.#state.type === "running" ? this.#state.run.socketPath : null;
  }

  #run(): MemberRun {
    const { dataDir, advertise, member, agencySize, log } = this.#options;
    this.#runCount += 1;
    // Each at a place of its own: what a thread that was ended leaves is in nobody's way.
    const socketPath = join(this.#dir, `${this.#runCount}`);
    const data = { dataDir, advertise, member, agencySize, socketPath };
    const run = new MemberRun(this.#entry, data, {
      log,
      onEnd: (end) => this.#ended(run, end),
    });
    this.#state = { type: "running", run, since: performance.now() };
    if (this.#hostLog !== undefined) run.giveHostLog(this.#hostLog);
    this.#hostLog = undefined;
    return run;
  }

  #ended(run: MemberRun, end: RunEnd): void {
    const state = this.#state;
    // The first start is the caller's to judge.
    if (state.type !== "running" || state.run !== run || (this.#runCount === 1 && !run.isOpen)) {
      return;
    }
    if (end.type !== "crashed") {
      const isFailed = end.type === "failed";
      const reason = isFailed ? end.error.message : end.reason;
      this.#over(reason);
      this.#options.onEnd(reason, isFailed ? errorCodes[end.error.code].exit : end.exitCode);
      return;
    }
    this.#crashesInRow = performance.now() - state.since > soundMs ? 1 : this.#crashesInRow + 1;
    const waitMs = Math.min(restartMaxMs, restartMinMs * 2 ** (this.#crashesInRow - 1));
    this.#options.log(`${end.reason} The member of the agency starts again in ${waitMs} ms.`);
    this.#state = { type: "waiting", timer: setTimeout(() => this.#run(), waitMs) };
  }

  #over(reason: string): void {
    if (this.#state.type === "waiting") clearTimeout(this.#state.timer);
    this.#state = { type: "over", reason };
    this.#hostLog?.close();
    this.#hostLog = undefined;
    this.#pipe.close();
  }
}

/** A thread cannot load TypeScript. */
function memberEntry(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../dist/bundle/member.js", here)
    : new URL("../bundle/member.js", here);
}

/**
 * Mode 0700; short, as the path of a Unix socket has at most 107 bytes.
 *
 * What a process that was killed has left of this data directory, which one process uses at a time, is removed.
 */
function makeDir(dataDir: string): string {
  const root = [tmpdir(), "/tmp"].find((one) => Buffer.byteLength(one) <= 70) ?? "/tmp";
  const hash = createHash("sha256").update(resolve(dataDir)).digest("hex").slice(0, 12);
  const prefix = `halond-${hash}-`;
  for (const name of readdirSync(root)) if (name.startsWith(prefix)) removeOld(join(root, name));
  return mkdtempSync(join(root, prefix));
}

function removeOld(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another user's, by accident or not: it is in nobody's way.
  }
}
