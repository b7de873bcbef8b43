import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { toJSON } from "@halon/graph";
import { type ErrorData, events, toErrorData } from "@halon/protocol";
import { type Blobs, openBlobs } from "../blob/open.ts";
import {
  answerOf,
  type CoordinatorState,
  captureSnapshot,
  type EventInput,
  firstObservation,
  letterList,
  watermarkOf,
} from "../core/index.ts";
import { readHistory } from "../history.ts";
import { JournalFeed } from "../journal/feed.ts";
import type { Journal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { readJournal } from "../journal/serve.ts";
import { Leases } from "../leases.ts";
import type { DecisionLoop } from "../loop.ts";
import { hardenThread } from "../realm/harden.ts";
import type { RuleFileHost } from "../realm/load.ts";
import { ProgressWriter } from "../realm/progress.ts";
import { decodeRecord } from "../recover.ts";
import { Standby, type StandbyListener } from "../standby.ts";
import { openEngine } from "../store/open.ts";
import { storeOf } from "../store/parts.ts";
import type { Store } from "../store/port.ts";
import { traceFailures } from "../trace.ts";
import type {
  CoordinatorThreadData,
  FromCoordinator,
  NumberedEvent,
  ToCoordinator,
} from "./wire.ts";

const port = parentPort;
if (port === null) throw new Error("the coordinator's entry runs in a worker thread only");
const data = workerData as CoordinatorThreadData;
const progress = new ProgressWriter(data.progress);
// Its own beat: between two of them the thread has gone once around its event loop.
const beatEveryMs = 50;
setInterval(() => progress.beat(), beatEveryMs).unref();
const tell = (message: FromCoordinator): void => port.postMessage(message);

const notLeading: ErrorData = {
  code: "HAL_NO_LEADER",
  message: "The coordinator of this node does not lead; send it to the one that does.",
};
/** How long a copy of the state holds the thread at once. */
const captureSliceMs = 5;
let isStopping = false;

// What an author's code leaves behind of its own promises is nobody's: it must not end the thread.
process.on("unhandledRejection", (reason, promise) => {
  const { code } = (reason ?? {}) as { readonly code?: unknown };
  if (promise instanceof Promise && code !== "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING") throw reason;
});

try {
  await run();
} catch (error) {
  end(error);
}

function end(error: unknown): void {
  if (isStopping) return;
  tell({ type: "fatal", error: toErrorData(error) });
  // Of the thread alone: the node goes on and starts another.
  process.exit(1);
}

async function run(): Promise<void> {
  const store = await storeOf(await openEngine(data));
  hardenThread();
  const tellOwner = (): void => tell({ type: "owner", address: store.owner });
  store.onOwner(tellOwner);
  tellOwner();
  const journal = await openJournal({
    dir: join(data.dataDir, "journal"),
    maxBytes: data.journalBytesMax,
    maxAgeMs: data.journalAgeMaxMs,
    now: Date.now,
  });
  const feed = new JournalFeed(
    { journal, store, wallTimeOf: (record) => decodeRecord(record).wallTime },
    { gap: ({ from, to }) => tell({ type: "journalGap", from, to }), failed: end },
  );
  const blobs = await openBlobs(data.dataDir);
  const standby = await Standby.open(store, {
    ruleFiles: ruleFileHost(blobs),
    listener: listener(journal, feed),
  });
  const parts: Parts = { store, journal, feed, standby, loop: undefined, leases: undefined };
  port?.on("message", (message: ToCoordinator) => receive(parts, message));
  await lead(parts);
}

/** The parts of the coordinator in this thread. */
interface Parts {
  readonly store: Store;
  readonly journal: Journal;
  readonly feed: JournalFeed;
  readonly standby: Standby;
  /** Since it leads, as `leases`. */
  loop: DecisionLoop | undefined;
  leases: Leases | undefined;
}

async function lead(parts: Parts): Promise<void> {
  let loop: DecisionLoop;
  try {
    loop = await parts.standby.lead();
  } catch (error) {
    if (isStopping) return;
    throw error;
  }
  if (isStopping) return loop.close();
  parts.loop = loop;
  parts.leases = new Leases({
    confirm: () => parts.store.confirm(),
    state: () => loop.state,
    whenDurable: (read) => loop.whenDurable(read),
    now: () => performance.now(),
  });
  tell({ type: "leading", epoch: loop.epoch, index: loop.state.index });
  const created = firstObservation(loop.state, data.newCluster);
  if (created !== null) loop.observe(created.type, created.data);
}

function ruleFileHost(blobs: Blobs): RuleFileHost {
  return {
    blobPath: (hash) => blobs.path(hash),
    hasBlob: (hash) => blobs.has(hash),
    missing: (hashes) => tell({ type: "blobsMissing", blobs: hashes }),
    files: (files) => {
      progress.files(files.map(({ name }) => name));
      tell({ type: "ruleFiles", files });
    },
    running: (file) => progress.running(file),
    suspects: new Map(data.suspects.map(({ blob, reason }) => [blob, reason])),
  };
}

function listener(journal: Journal, feed: JournalFeed): StandbyListener {
  return {
    following: ({ index, epoch, graph }) => {
      tell({
        type: "following",
        index,
        epoch,
        clusterId: graph.list("Cluster")[0]?.id ?? null,
        graph: JSON.stringify(toJSON(graph)),
      });
      feed.reach(index);
    },
    commands: (commands) => tell({ type: "commands", commands }),
    record: ({ index, wallTime, text, data }) => {
      tell({ type: "record", text });
      feed.take(index, data, wallTime);
    },
    beforeSnapshot: async () => {
      await feed.idle();
      await journal.flush();
    },
    warning: (text) => tell({ type: "warning", text }),
    fatal: end,
  };
}

function receive(parts: Parts, message: ToCoordinator): void {
  const { journal, feed, loop } = parts;
  switch (message.type) {
    case "events":
      if (loop !== undefined) takeEvents(loop, message.source, message.incarnation, message.events);
      return;
    case "submit":
      submit(loop, message);
      return;
    case "observe":
      observe(parts, message.event);
      return;
    case "renew":
      renew(parts, message);
      return;
    case "resend":
      loop?.resend(message.node);
      return;
    case "watermark":
      tellWatermark(loop, message);
      return;
    case "history":
      answer(message.ref, async () => {
        const entries = await readHistory(journal, message.query);
        return { type: "historyIs", ref: message.ref, entries };
      });
      return;
    case "readJournal":
      answer(message.ref, async () => {
        const records = await readJournal(journal, message);
        return { type: "journalIs", ref: message.ref, records };
      });
      return;
    case "deadLetters":
      readState(loop, message.ref, (state) =>
        tell({ type: "deadLettersAre", ref: message.ref, list: letterList(state) }),
      );
      return;
    case "capture":
      readState(loop, message.ref, (state) =>
        answer(message.ref, () => capture(message.ref, state)),
      );
      return;
    case "journalRecords":
      feed.fill(message.records);
      return;
    case "journalGapStays":
      feed.gapStays();
      return;
    case "stop":
      void stop(parts);
      return;
  }
}

/** A loss says how old the leases of the node are at most: nothing is granted to it from here on. */
function observe({ loop, leases }: Parts, { type, data }: EventInput): void {
  if (type !== events.NodeLost.type || leases === undefined) {
    loop?.observe(type, data);
    return;
  }
  const lost = data as { readonly node: string };
  const leaseAgeMs = leases.losing(lost.node);
  loop?.observe(type, { ...lost, leaseAgeMs }, () => leases.decided(lost.node));
}

function renew(
  { leases }: Parts,
  { ref, node, asked }: Extract<ToCoordinator, { type: "renew" }>,
): void {
  if (leases === undefined) {
    tell({ type: "failed", ref, error: notLeading });
    return;
  }
  answer(ref, async () => ({ type: "granted", ref, instances: await leases.renew(node, asked) }));
}

function answer(ref: number, ask: () => Promise<FromCoordinator>): void {
  ask().then(tell, (error) => tell({ type: "failed", ref, error: toErrorData(error) }));
}

function submit(
  loop: DecisionLoop | undefined,
  { ref, id, event }: Extract<ToCoordinator, { type: "submit" }>,
): void {
  if (loop === undefined) tell({ type: "failed", ref, error: notLeading });
  else loop.submit({ type: "client", id, event }, (reply) => tell({ type: "reply", ref, reply }));
}

function tellWatermark(
  loop: DecisionLoop | undefined,
  { ref, source, incarnation }: Extract<ToCoordinator, { type: "watermark" }>,
): void {
  readState(loop, ref, (state) => {
    tell({ type: "watermarkIs", ref, sequence: watermarkOf(state, source, incarnation) });
  });
}

/** Reads the state when all that it holds is durable. */
function readState(
  loop: DecisionLoop | undefined,
  ref: number,
  read: (state: CoordinatorState) => void,
): void {
  if (loop === undefined) tell({ type: "failed", ref, error: notLeading });
  else loop.whenDurable(() => read(loop.state));
}

/** A copy of the state, in slices: decisions go on meanwhile. */
async function capture(ref: number, state: CoordinatorState): Promise<FromCoordinator> {
  const pieces: string[] = [];
  let turnedAt = performance.now();
  for (const piece of captureSnapshot(state)) {
    pieces.push(piece);
    if (performance.now() - turnedAt < captureSliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnedAt = performance.now();
  }
  return { type: "captured", ref, text: pieces.join("") };
}

async function stop({ journal, feed, standby, loop }: Parts): Promise<void> {
  isStopping = true;
  feed.close();
  await (loop ?? standby).close();
  await journal.close();
  port?.close();
}

function takeEvents(
  loop: DecisionLoop,
  source: string,
  incarnation: number,
  numbered: readonly NumberedEvent[],
): void {
  traceFailures("received", numbered);
  const last = numbered.at(-1)?.sequence ?? 0;
  for (const { sequence, event } of numbered) {
    loop.submit({ type: "numbered", source, incarnation, sequence, event }, (reply) => {
      const answer = answerOf(reply, sequence, last);
      if (answer !== null) tell({ ...answer, source, incarnation });
    });
  }
}
