import { type Store, storeOf } from "@halon/coordinator/store";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type Members, startMembers, until } from "./agency-members.ts";
import { storeConformance } from "./conformance.ts";
import { collect, deliveries } from "./faulty.ts";

const made: Members[] = [];
const closing: Promise<void>[] = [];

async function members(size: 1 | 3): Promise<Members> {
  const one = await startMembers(size);
  made.push(one);
  return one;
}

// Members take their time to hand leadership over, which the next test need not wait for.
afterEach(() => {
  closing.push(...made.splice(0).map((one) => one.close()));
});

afterAll(async () => {
  await Promise.all(closing);
});

storeConformance("agency, one member", async () => {
  const agency = await members(1);
  return { open: () => agency.openEngine(), beside: false };
});

storeConformance("agency, three members", async () => {
  const agency = await members(3);
  return { open: () => agency.openEngine(), beside: true };
});

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++) {
    const appended = await store.append(bytes(`r${index}`), { index, epoch: store.epoch });
    expect(appended).toEqual({ type: "committed", index });
  }
}

const texts = async (store: Store, from: number): Promise<readonly string[]> =>
  (await collect(store.read(from))).map(({ data }) => Buffer.from(data).toString("utf8"));

const lostOf = (store: Store): Promise<string> => new Promise((resolve) => store.onLost(resolve));

describe("three members", () => {
  test.each(["hands leadership over", "ends"])(
    "when the owner's member %s, another leads under a higher epoch and has all that was committed",
    async (what) => {
      const agency = await members(3);
      const first = await agency.leader();
      const owner = await storeOf(await agency.openEngineOf(first));
      await owner.lead();
      await fill(owner, 1, 20);
      const others = [0, 1, 2].filter((at) => at !== first);
      const standbys = await Promise.all(
        others.map(async (at) => storeOf(await agency.openEngineOf(at))),
      );
      const seen = standbys.map((standby) => {
        const delivered = deliveries();
        standby.follow(1, ({ data }) => delivered.deliver(Buffer.from(data).toString("utf8")));
        return delivered;
      });
      for (const delivered of seen) await delivered.count(20);
      const lost = lostOf(owner);
      const leads = standbys.map(async (standby) => ({ standby, led: await standby.lead() }));
      // Those that do not come to lead wait until they are closed.
      for (const one of leads) one.catch(() => undefined);
      if (what === "ends") await agency.stop(first);
      else await agency.leadBy(others[0] ?? 0);
      await lost;
      const { standby, led } = await Promise.race(leads);
      expect(led.epoch).toBeGreaterThan(owner.epoch);
      expect(led.index).toBe(20);
      await fill(standby, 21, 22);
      for (const delivered of seen) await delivered.count(22);
      expect(seen[0]?.all).toEqual(Array.from({ length: 22 }, (_, at) => `r${at + 1}`));
      const late = await owner.append(bytes("late"), { index: 21, epoch: owner.epoch });
      expect(late.type).toBe("fenced");
      expect(await texts(standby, 21)).toEqual(["r21", "r22"]);
    },
  );

  test("a member that was away gets the snapshot of another, and its standby goes on from there", async () => {
    const agency = await members(3);
    const first = await agency.leader();
    const owner = await storeOf(await agency.openEngineOf(first));
    await owner.lead();
    await fill(owner, 1, 3);
    const away = (first + 1) % 3;
    await agency.stop(away);
    // More than members keep beside a snapshot for those that lag.
    for (let index = 4; index <= 40; index++) {
      await owner.append(new Uint8Array(1024 * 1024), { index, epoch: owner.epoch });
    }
    await owner.saveSnapshot(40, [bytes("state at "), bytes("40")]);
    await fill(owner, 41, 41);
    await agency.start(away);
    const standby = await storeOf(await agency.openEngineOf(away));
    const seen = deliveries();
    const goOn = async (): Promise<void> => {
      const snapshot = await standby.loadSnapshot();
      const chunks = await collect(snapshot?.chunks ?? []);
      if (snapshot !== undefined) seen.deliver(Buffer.concat(chunks).toString("utf8"));
      standby.follow(
        (snapshot?.index ?? 0) + 1,
        ({ index }) => seen.deliver(`${index}`),
        (error) => {
          expect(error).toMatchObject({ code: "HAL_NOT_FOUND" });
          void goOn();
        },
      );
    };
    await goOn();
    await until("the last record", () => (seen.all.at(-1) === "41" ? true : undefined));
    // What it had before it was away it may have given; of the rest, the snapshot is all there is.
    expect(seen.all.filter((one) => Number(one) > 3 || one.startsWith("state"))).toEqual([
      "state at 40",
      "41",
    ]);
  });
});
