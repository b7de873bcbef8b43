import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { toJSON } from "@halon/graph";
import { canonicalJson, events, toErrorData } from "@halon/protocol";
import { openBlobs } from "../blob/open.ts";
import { readHistory } from "../history.ts";
import type { Journal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { DecisionLoop } from "../loop.ts";
import { decodeRecord, encodeRecord } from "../recover.ts";
import { openEngine } from "../store/open.ts";
import { storeOf } from "../store/parts.ts";
import type { Store } from "../store/port.ts";
import { traceFailures } from "../trace.ts";
import { ProgressWriter } from "./progress.ts";
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

try {
  await run();
} catch (error) {
  end(error);
}

function end(error: unknown): void {
  tell({ type: "fatal", error: toErrorData(error) });
  // Of the thread alone: the node goes on and starts another.
  process.exit(1);
}

async function run(): Promise<void> {
  const store = await storeOf(await openEngine(data));
  const journal = await openJournal({
    dir: join(data.dataDir, "journal"),
    maxBytes: data.journalBytesMax,
    maxAgeMs: data.journalAgeMaxMs,
    now: Date.now,
  });
  await catchUp(store, journal);
  const blobs = await openBlobs(data.dataDir);
  const loop = await DecisionLoop.open(store, {
    ruleFiles: {
      blobPath: (hash) => blobs.path(hash),
      files: (files) => {
        progress.files(files.map(({ name }) => name));
        tell({ type: "ruleFiles", files });
      },
      running: (file) => progress.running(file),
      suspects: new Map(data.suspects.map(({ blob, reason }) => [blob, reason])),
    },
    listener: {
      commands: (commands) => tell({ type: "commands", commands }),
      record: (text, wallTime) => {
        tell({ type: "record", text });
        journal.append(loop.state.index, encodeRecord(text), wallTime);
      },
      beforeSnapshot: () => journal.flush(),
      warning: (text) => tell({ type: "warning", text }),
      fatal: end,
    },
  });
  tell({
    type: "following",
    epoch: loop.epoch,
    index: loop.state.index,
    clusterId: loop.state.graph.list("Cluster")[0]?.id ?? null,
    graph: canonicalJson(toJSON(loop.state.graph)),
  });
  tell({ type: "leading", epoch: loop.epoch, index: loop.state.index });
  if (loop.state.graph.list("Cluster").length === 0) {
    loop.observe(events.ClusterCreated.type, {
      cluster: data.newCluster.id,
      name: data.newCluster.name,
    });
  }
  port?.on("message", (message: ToCoordinator) => receive(loop, journal, message));
}

/** The journal may miss what was committed just before a crash, and no more than the store still has. */
async function catchUp(store: Store, journal: Journal): Promise<void> {
  const snapshotIndex = (await store.loadSnapshot())?.index ?? 0;
  for await (const { index, data: bytes } of store.read(
    Math.max(journal.lastIndex, snapshotIndex) + 1,
  )) {
    journal.append(index, bytes, decodeRecord(bytes).wallTime);
  }
}

function receive(loop: DecisionLoop, journal: Journal, message: ToCoordinator): void {
  switch (message.type) {
    case "events":
      takeEvents(loop, message.source, message.incarnation, message.events);
      return;
    case "submit": {
      const { ref, id, event } = message;
      loop.submit({ type: "client", id, event }, (reply) => tell({ type: "reply", ref, reply }));
      return;
    }
    case "observe":
      loop.observe(message.event.type, message.event.data);
      return;
    case "resend":
      loop.resend(message.node);
      return;
    case "watermark": {
      const { ref, source, incarnation } = message;
      loop.whenDurable(() => {
        const known = loop.state.watermarks.get(source);
        tell({
          type: "watermarkIs",
          ref,
          sequence: known?.incarnation === incarnation ? known.sequence : 0,
        });
      });
      return;
    }
    case "history":
      readHistory(journal, message.query).then(
        (entries) => tell({ type: "historyIs", ref: message.ref, entries }),
        (error) => tell({ type: "failed", ref: message.ref, error: toErrorData(error) }),
      );
      return;
    case "readJournal":
    case "journalRecords":
    case "journalGapStays":
      return;
    case "stop":
      void stop(loop, journal);
      return;
  }
}

async function stop(loop: DecisionLoop, journal: Journal): Promise<void> {
  await loop.close();
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
  const last = numbered.at(-1)?.sequence;
  for (const { sequence, event } of numbered) {
    loop.submit({ type: "numbered", source, incarnation, sequence, event }, (reply) => {
      if (reply.type === "gap")
        tell({ type: "gap", source, incarnation, expected: reply.expected });
      // The last of those sent together speaks for all of them.
      else if (reply.type !== "refused" && sequence === last)
        tell({ type: "ack", source, incarnation, sequence });
    });
  }
}
