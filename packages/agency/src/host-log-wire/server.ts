import type { MessagePort } from "node:worker_threads";
import { HalonError, toErrorData } from "@halon/protocol";
import { campaignAgainMs, LogOwnership } from "../core/log-ownership.ts";
import type { HostLog, HostLogStatus } from "../host-log.ts";
import { type Answer, type FromMember, ownBytes, type ToMember } from "./wire.ts";

/** Snapshots that a client may have loaded and not read to their end; the oldest is released for another. */
const loadsMax = 4;

/** What clients of each log have owned: the next one must not append under it. */
const ownerships = new WeakMap<HostLog, LogOwnership>();

/**
 * Lets another thread use a member's host log through a port, until either closes it.
 *
 * One client at a time: close what serves the last one first.
 */
export function serveHostLog(log: HostLog, port: MessagePort): { close(): void } {
  const server = new PortServer(log, port);
  return { close: () => server.close() };
}

function ownershipOf(log: HostLog): LogOwnership {
  const ownership = ownerships.get(log) ?? new LogOwnership();
  ownerships.set(log, ownership);
  return ownership;
}

interface Chunks {
  readonly resolve: (chunk: Uint8Array | null) => void;
  readonly reject: (error: unknown) => void;
}

class PortServer {
  readonly #log: HostLog;
  readonly #port: MessagePort;
  readonly #ownership: LogOwnership;
  readonly #stopListening: readonly (() => void)[];
  #isStatusAsked = false;
  /** A status was sent and is not yet seen. */
  #isUnseen = false;
  #isAppending = false;
  #leadRef: number | null = null;
  #campaignTimer: NodeJS.Timeout | undefined;
  readonly #wanted = new Map<number, Chunks>();
  readonly #loads = new Map<number, AsyncIterator<Uint8Array>>();
  #isClosed = false;

  constructor(log: HostLog, port: MessagePort) {
    this.#log = log;
    this.#port = port;
    this.#ownership = ownershipOf(log);
    this.#stopListening = [
      log.onStatus(() => this.#changed()),
      log.onCommit(() => this.#changed()),
    ];
    port.on("message", (message: ToMember) => this.#receive(message));
    port.on("close", () => this.close());
    this.#changed();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#stopListening) stop();
    clearTimeout(this.#campaignTimer);
    for (const { reject } of this.#wanted.values()) reject(gone());
    this.#wanted.clear();
    for (const load of this.#loads.keys()) this.#release(load);
    this.#port.close();
  }

  #tell(message: FromMember, transfer: readonly ArrayBuffer[] = []): void {
    if (!this.#isClosed) this.#port.postMessage(message, [...transfer]);
  }

  #answer(ref: number, answer: Answer, transfer: readonly ArrayBuffer[] = []): void {
    // Whoever gets the answer knows the status, too.
    this.#isStatusAsked = false;
    this.#tell({ type: "answer", ref, answer, status: plain(this.#log.status) }, transfer);
  }

  #changed(): void {
    this.#isStatusAsked = true;
    this.#tryToLead();
    this.#tellStatus();
  }

  /** One at a time; and none while an append is under way, whose answer tells the same. */
  #tellStatus(): void {
    if (!this.#isStatusAsked || this.#isUnseen || this.#isAppending) return;
    this.#isStatusAsked = false;
    this.#isUnseen = true;
    this.#tell({ type: "status", status: plain(this.#log.status) });
  }

  #receive(message: ToMember): void {
    switch (message.type) {
      case "seen":
        this.#isUnseen = false;
        this.#tellStatus();
        return;
      case "lead":
        this.#leadRef = message.ref;
        this.#tryToLead();
        return;
      case "append":
        void this.#append(message);
        return;
      case "confirm":
        void this.#confirm(message.ref, message.epoch);
        return;
      case "read":
        this.#read(message.ref, message.from);
        return;
      case "save":
        void this.#save(message.ref, message.position);
        return;
      case "chunk":
        this.#takeWanted(message.ref)?.resolve(message.data);
        return;
      case "cut":
        this.#takeWanted(message.ref)?.reject(new HalonError("HAL_FAILED", message.error.message));
        return;
      case "load":
        void this.#load(message.ref);
        return;
      case "next":
        void this.#next(message.ref, message.load);
        return;
      case "release":
        this.#release(message.load);
        return;
    }
  }

  #tryToLead(): void {
    const ref = this.#leadRef;
    if (ref === null) return;
    const { leading } = this.#log.status;
    const verdict = this.#ownership.claim(leading?.epoch ?? null);
    if (verdict !== "campaigns") {
      clearTimeout(this.#campaignTimer);
      this.#campaignTimer = undefined;
    }
    if (verdict === "owns" && leading !== null) {
      this.#leadRef = null;
      this.#answer(ref, { type: "leads", epoch: leading.epoch });
    }
    if (verdict !== "campaigns" || this.#campaignTimer !== undefined) return;
    this.#campaignTimer = setTimeout(() => {
      this.#campaignTimer = undefined;
      this.#tryToLead();
    }, campaignAgainMs);
    this.#log.campaign();
  }

  async #append({
    ref,
    data,
    position,
    epoch,
  }: Extract<ToMember, { readonly type: "append" }>): Promise<void> {
    this.#isAppending = true;
    let answer: Answer;
    try {
      const appended = await this.#log.append(data, { position, epoch });
      answer = { type: "appended", appended };
    } catch (error) {
      answer = failed(error);
    }
    this.#isAppending = false;
    this.#answer(ref, answer);
  }

  async #confirm(ref: number, epoch: number): Promise<void> {
    const isLast = this.#ownership.isLast(epoch);
    const leads = isLast && (await this.#log.confirm(epoch));
    this.#answer(ref, { type: "confirmed", leads });
  }

  #read(ref: number, from: number): void {
    const slots = from < this.#log.status.firstPosition ? [] : this.#log.read(from);
    const data = new Uint8Array(slots.reduce((sum, slot) => sum + slot.data.length, 0));
    let offset = 0;
    for (const slot of slots) {
      data.set(slot.data, offset);
      offset += slot.data.length;
    }
    const heads = slots.map((slot) => ({
      position: slot.position,
      epoch: slot.epoch,
      bytes: slot.data.length,
    }));
    this.#answer(ref, { type: "slots", slots: heads, data }, [data.buffer]);
  }

  async #save(ref: number, position: number): Promise<void> {
    try {
      await this.#log.saveSnapshot(position, this.#given(ref));
      this.#answer(ref, { type: "saved" });
    } catch (error) {
      this.#answer(ref, failed(error));
    }
  }

  /** The chunks of the client, each asked for when the one before is written. */
  async *#given(ref: number): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.#want(ref);
      if (chunk === null) return;
      yield chunk;
    }
  }

  #want(ref: number): Promise<Uint8Array | null> {
    if (this.#isClosed) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      this.#wanted.set(ref, { resolve, reject });
      this.#tell({ type: "want", ref });
    });
  }

  #takeWanted(ref: number): Chunks | undefined {
    const wanted = this.#wanted.get(ref);
    this.#wanted.delete(ref);
    return wanted;
  }

  async #load(ref: number): Promise<void> {
    try {
      const loaded = await this.#log.loadSnapshot();
      if (loaded !== undefined) this.#hold(ref, loaded.chunks[Symbol.asyncIterator]());
      this.#answer(ref, { type: "loaded", position: loaded?.position ?? null });
    } catch (error) {
      this.#answer(ref, failed(error));
    }
  }

  #hold(ref: number, chunks: AsyncIterator<Uint8Array>): void {
    this.#loads.set(ref, chunks);
    const [oldest] = this.#loads.keys();
    if (this.#loads.size > loadsMax && oldest !== undefined) this.#release(oldest);
  }

  async #next(ref: number, load: number): Promise<void> {
    const chunks = this.#loads.get(load);
    if (chunks === undefined) {
      const message = `the snapshot was released: at most ${loadsMax} are read at a time`;
      this.#answer(ref, failed(new HalonError("HAL_STORE_FAILED", message)));
      return;
    }
    try {
      const { done, value } = await chunks.next();
      if (done === true) {
        this.#loads.delete(load);
        this.#answer(ref, { type: "nextIs", data: null });
        return;
      }
      const data = ownBytes(value);
      this.#answer(ref, { type: "nextIs", data }, [data.buffer]);
    } catch (error) {
      this.#answer(ref, failed(error));
    }
  }

  #release(load: number): void {
    const chunks = this.#loads.get(load);
    this.#loads.delete(load);
    // Nobody reads it any more, so nobody is to hear that its file did not close.
    chunks?.return?.().catch(() => undefined);
  }
}

function failed(error: unknown): Answer {
  return { type: "failed", error: toErrorData(error) };
}

/** What a message can carry: no getters, no class. */
function plain(status: HostLogStatus): HostLogStatus {
  const { leading, owner, firstPosition, lastPosition, installs } = status;
  const led = leading && { epoch: leading.epoch, position: leading.position };
  return { leading: led, owner, firstPosition, lastPosition, installs };
}

function gone(): HalonError {
  return new HalonError("HAL_STORE_FAILED", "the host's thread has ended");
}
