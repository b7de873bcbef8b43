/** A record of the journal on its way to another node. */
export interface FramedRecord {
  readonly index: number;
  readonly data: Uint8Array;
}

/** Before each record: its index as a double, the length of its bytes. */
const headerBytes = 12;

/** The records as one piece of bytes, in order. */
export function encodeRecords(records: readonly FramedRecord[]): Uint8Array {
  const bytes = records.reduce((sum, { data }) => sum + headerBytes + data.length, 0);
  const all = new Uint8Array(bytes);
  const view = new DataView(all.buffer);
  let at = 0;
  for (const { index, data } of records) {
    view.setFloat64(at, index);
    view.setUint32(at + 8, data.length);
    all.set(data, at + headerBytes);
    at += headerBytes + data.length;
  }
  return all;
}

/** Reads what `encodeRecords` made; null when it is cut or out of order. */
export function decodeRecords(bytes: Uint8Array): readonly FramedRecord[] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: FramedRecord[] = [];
  let at = 0;
  let last = 0;
  while (at < bytes.length) {
    if (at + headerBytes > bytes.length) return null;
    const index = view.getFloat64(at);
    const end = at + headerBytes + view.getUint32(at + 8);
    if (end > bytes.length || !Number.isSafeInteger(index) || index <= last) return null;
    records.push({ index, data: bytes.slice(at + headerBytes, end) });
    last = index;
    at = end;
  }
  return records;
}
