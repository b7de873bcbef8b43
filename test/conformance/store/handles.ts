import type { Engine, Store, StoredRecord } from "@halon/coordinator/store";
import { storeOf } from "@halon/coordinator/store";
import { expect } from "vitest";
import { collect, deliveries } from "./faulty.ts";

/** One place to keep a store, fresh for each test. */
export interface Place {
  /** Opens a handle; `lead` of it resolves soon as long as no other handle of the place is open. */
  readonly open: () => Promise<Engine>;
  /** Two handles may be open at once, as those of two nodes would be. */
  readonly beside: boolean;
  /** Opens a handle that gets the lead although the owner is open and well; `open` when left out. */
  readonly takeOver?: () => Promise<Engine>;
  /** Opens a handle that follows while another owns the store; `open` when left out. */
  readonly follower?: () => Promise<Engine>;
}

/** What the tests below share: the place of the test that runs, and common steps. */
export interface Bench {
  place: Place;
  readonly makePlace: () => Promise<Place>;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (record: StoredRecord): string => Buffer.from(record.data).toString("utf8");
export const MiB = 1024 * 1024;

/** A handle that owns the store. */
export async function owned(bench: Bench, engine = bench.place.open()): Promise<Store> {
  const store = await storeOf(await engine);
  await store.lead();
  return store;
}

export async function reopened(bench: Bench, store: Store): Promise<Store> {
  await store.close();
  return owned(bench);
}

export const follower = async ({ place }: Bench): Promise<Store> =>
  storeOf(await (place.follower ?? place.open)());

export const successor = async ({ place }: Bench): Promise<Store> =>
  storeOf(await (place.takeOver ?? place.open)());

export async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++) {
    const appended = await store.append(bytes(`r${index}`), { index, epoch: store.epoch });
    expect(appended).toEqual({ type: "committed", index });
  }
}

export const texts = async (store: Store, from: number): Promise<readonly string[]> =>
  (await collect(store.read(from))).map(text);

export const names = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `r${from + at}`);

/** What a handle gets to see of what others append, as soon as that is `count` records. */
export async function followed(
  store: Store,
  from: number,
  count: number,
): Promise<readonly string[]> {
  const seen = deliveries();
  const end = store.follow(from, (record) => seen.deliver(text(record)));
  await seen.count(count);
  end();
  return seen.all;
}
