import type { FedRecord } from "./feed.ts";
import type { Journal } from "./journal.ts";

const pageRecords = 100;
const answerBytesMax = 1024 * 1024;

/** What the journal has from `from` to `to`, in order: at most 1 MiB, or one record that is larger. */
export async function readJournal(
  journal: Journal,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly FedRecord[]> {
  const found: FedRecord[] = [];
  let bytes = 0;
  for (let next = from; next <= to; ) {
    const page = await journal.read({ from: next, to, limit: pageRecords });
    for (const { index, data } of page) {
      if (found.length > 0 && bytes + data.length > answerBytesMax) return found;
      bytes += data.length;
      found.push({ index, data });
    }
    const last = page.at(-1)?.index;
    if (last === undefined) return found;
    next = last + 1;
  }
  return found;
}
