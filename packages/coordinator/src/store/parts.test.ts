import { expect, test } from "vitest";
import type { Engine } from "./engine.ts";
import { memoryEngine, memoryState } from "./memory.ts";
import { storeOf } from "./parts.ts";
import type { Store } from "./port.ts";

async function append(store: Store, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++)
    await store.append(Buffer.from(`r${index}`), { index, epoch: store.epoch });
}

async function texts(store: Store, from: number): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { index, data } of store.read(from))
    found.push(`${index}:${Buffer.from(data).toString()}`);
  return found;
}

/** An engine with some members of its own. */
function withMembers(engine: Engine, members: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get: (target, name) => Reflect.get(name in members ? members : target, name),
  });
}

test("a handle whose unread slots were replaced goes on from the snapshot, as soon as it can see that", async () => {
  const shared = memoryState();
  const owner = await storeOf(memoryEngine(shared));
  await owner.lead();
  await append(owner, 1, 3);
  const engine = memoryEngine(shared);
  const looks: (number | undefined)[] = [];
  const late = await storeOf(
    withMembers(engine, {
      // What an engine tells of its slots may come before what it tells of its snapshot.
      async loadSnapshot() {
        looks.push(shared.snapshot?.position);
        return looks.length <= 4 ? undefined : engine.loadSnapshot();
      },
    }),
  );
  looks.length = 0;
  await append(owner, 4, 9);
  await owner.saveSnapshot(7, [Buffer.from("state")]);
  expect(await texts(late, 8)).toEqual(["8:r8", "9:r9"]);
  expect(looks.length).toBeGreaterThan(4);
  await expect(texts(late, 3)).rejects.toMatchObject({ code: "HAL_NOT_FOUND" });
  await late.lead();
  await append(late, 10, 10);
  expect(await texts(late, 8)).toEqual(["8:r8", "9:r9", "10:r10"]);
});

test("a handle that has read all hears that the oldest are gone, and is not told of damage", async () => {
  const shared = memoryState();
  const owner = await storeOf(memoryEngine(shared));
  await owner.lead();
  const other = await storeOf(memoryEngine(shared));
  await append(owner, 1, 9);
  expect(await texts(other, 9)).toEqual(["9:r9"]);
  await append(owner, 10, 200);
  await owner.saveSnapshot(150, [Buffer.from("state")]);
  await expect(texts(other, 1)).rejects.toMatchObject({
    code: "HAL_NOT_FOUND",
    message: expect.stringContaining("read from 151"),
  });
  expect(await texts(other, 199)).toEqual(["199:r199", "200:r200"]);
});

test("an append reads nothing back as long as its outcomes are known", async () => {
  const engine = memoryEngine(memoryState());
  let reads = 0;
  const store = await storeOf(
    withMembers(engine, {
      read(from) {
        reads += 1;
        return engine.read(from);
      },
    }),
  );
  await store.lead();
  await append(store, 1, 1);
  reads = 0;
  await append(store, 2, 20);
  expect(reads).toBe(0);
  expect(await texts(store, 20)).toEqual(["20:r20"]);
});

test("a store that is lost says so to whoever asks, each once", async () => {
  const shared = memoryState();
  const first = await storeOf(memoryEngine(shared));
  await first.lead();
  const heard: string[] = [];
  first.onLost(() => heard.push("early"));
  first.onLost(() => heard.push("ended"))();
  const second = await storeOf(memoryEngine(shared));
  await second.lead();
  await new Promise<void>((resolve) => first.onLost(() => resolve()));
  expect(heard).toEqual(["early"]);
  const saved = first.saveSnapshot(1, []);
  await expect(saved).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
});
