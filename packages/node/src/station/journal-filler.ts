import type { ActorSystem } from "@halon/actor";
import type { CoordinatorHost } from "@halon/coordinator";
import { toErrorData } from "@halon/protocol";
import type { Logger } from "pino";
import { z } from "zod";
import { decodeRecords, encodeRecords } from "../core/index.ts";
import { bulk } from "../messages.ts";

/** Rounds in which nobody could be asked, or an answer failed, before the gap stays. */
const roundsMax = 30;
const roundEveryMs = 1_000;

const JournalRequest = z.object({
  from: z.number().int().min(1),
  to: z.number().int(),
  own: z.boolean().default(false),
});

export interface JournalFillerOptions {
  readonly system: ActorSystem;
  readonly log: Logger;
  /** Tracking nodes that can be asked now: on the leader all others, elsewhere the leader. */
  sources(): readonly string[];
  leads(): boolean;
  coordinator(): CoordinatorHost | undefined;
}

/** Answers other tracking nodes whose journals lack records. */
export function serveJournal(options: JournalFillerOptions): void {
  options.system.serveBulk(bulk.journal, async function* (args) {
    const { from, to, own } = JournalRequest.parse(args);
    const here = (await options.coordinator()?.journalRecords(from, to)) ?? [];
    if (here.length > 0) yield encodeRecords(here);
    else if (!own && options.leads()) {
      for (const node of options.sources()) {
        const found = await ask(options.system, node, { from, to, own: true });
        if (found.length === 0) continue;
        yield encodeRecords(found);
        return;
      }
    }
  });
}

/** Fetches what the journal of this node lacks, and leaves what nobody has. */
export async function fillJournal(
  options: JournalFillerOptions,
  gap: { readonly from: number; readonly to: number },
): Promise<void> {
  const { log, system } = options;
  const host = options.coordinator();
  let next = gap.from;
  for (let round = 0; round < roundsMax; ) {
    if (host === undefined || options.coordinator() !== host) return;
    const { found, isSure } = await askAll(options, {
      from: next,
      to: gap.to,
      own: options.leads(),
    });
    host.fillJournal(found);
    const last = found.at(-1)?.index;
    if (last !== undefined) {
      if (last >= gap.to) return;
      next = last + 1;
      continue;
    }
    if (isSure) break;
    round += 1;
    await new Promise((resolve) => setTimeout(resolve, roundEveryMs));
  }
  log.warn(
    { from: next, to: gap.to, nodes: system.nodes().length },
    "the journal lacks records that no tracking node has; history says nothing of them",
  );
  host?.leaveJournalGap();
}

interface JournalRequest extends z.input<typeof JournalRequest> {}
type Records = NonNullable<ReturnType<typeof decodeRecords>>;

/** The first answer that has records. `isSure`: somebody was asked, and all of them answered. */
async function askAll(
  { system, log, sources }: JournalFillerOptions,
  request: JournalRequest,
): Promise<{ readonly found: Records; readonly isSure: boolean }> {
  let isSure = sources().length > 0;
  for (const node of sources()) {
    try {
      const found = await ask(system, node, request);
      if (found.length > 0) return { found, isSure: true };
    } catch (error) {
      isSure = false;
      log.debug(
        { peer: node, reason: toErrorData(error).message },
        "could not ask for the journal",
      );
    }
  }
  return { found: [], isSure };
}

async function ask(system: ActorSystem, node: string, request: JournalRequest): Promise<Records> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of system.requestBulk(node, bulk.journal, request)) chunks.push(chunk);
  const records = decodeRecords(Buffer.concat(chunks));
  if (records === null) throw new Error(`the answer of ${node} is cut`);
  return records.filter(({ index }) => index >= request.from && index <= request.to);
}
