import { expect, test } from "vitest";
import type { Behaviour } from "./core/behaviour.ts";
import { restartDecision } from "./core/restart.ts";
import { type ChildInfo, type ChildSpec, supervisor } from "./supervisor.ts";
import { createSystem } from "./system.ts";

const within = { timeoutMs: 1_000 };

test.each([
  { restarts: [], now: 10, type: "restart", kept: [10] },
  { restarts: [1, 5], now: 10, type: "giveUp", kept: [1, 5] },
  { restarts: [1, 5], now: 101, type: "restart", kept: [5, 101] },
])("intensity 2 in 100 ms after $restarts at $now: $type", ({ restarts, now, type, kept }) => {
  expect(restartDecision(restarts, now, 2, 100)).toEqual({ type, restarts: kept });
});

const child: Behaviour = (self) => ({
  receive(message) {
    if (message === "crash") throw new Error("crash");
    if (message === "stop") self.stop();
  },
});

function start(children: readonly Partial<ChildSpec>[], intensity = 1) {
  const system = createSystem({ node: "node-1", incarnation: 1 });
  const specs = children.map((spec, at): ChildSpec => {
    const id = `child-${at}`;
    return {
      id,
      behaviour: child,
      restart: "permanent",
      shutdownMs: 50,
      options: { name: id },
      ...spec,
    };
  });
  const pid = system.spawn(supervisor({ children: specs, intensity, periodMs: 60_000 }));
  const info = () => system.call<readonly ChildInfo[]>(pid, { type: "children" }, within);
  return { system, pid, info };
}

test.each([
  { restart: "permanent", end: "stop", back: true },
  { restart: "transient", end: "stop", back: false },
  { restart: "transient", end: "crash", back: true },
  { restart: "temporary", end: "crash", back: false },
] as const)("a $restart child that does $end comes back: $back", async ({ restart, end, back }) => {
  const { system, info } = start([{ restart }, {}]);
  const [before, other] = await info();
  await system.call({ name: "child-0" }, end, within).catch(() => undefined);
  const [after, otherAfter] = await info();
  expect(after?.pid !== null).toBe(back);
  expect(after?.pid).not.toBe(before?.pid);
  expect(otherAfter).toEqual(other);
});

test("more restarts than the intensity end the supervisor and all its children", async () => {
  const { system, pid } = start([{}, {}], 2);
  const ended = new Promise((resolve) => {
    system.spawn((self) => {
      self.monitor(pid);
      return { receive: resolve };
    });
  });
  for (let crash = 0; crash < 3; crash++)
    await system.call({ name: "child-0" }, "crash", within).catch(() => undefined);
  expect(await ended).toMatchObject({ type: "down", reason: "shutdown" });
  expect(system.whereis("child-1")).toBe(null);
});

test("children end in reverse order, and one that hangs is killed", async () => {
  const ended: string[] = [];
  const noting =
    (id: string): Behaviour =>
    () => ({ receive: () => undefined, terminate: () => void ended.push(id) });
  const hanging: Behaviour = () => ({
    receive: () => undefined,
    terminate: () => new Promise(() => undefined),
  });
  const specs = [noting("a"), hanging, noting("c")].map((behaviour) => ({ behaviour }));
  const { system, pid } = start(specs);
  const down = new Promise((resolve) => {
    system.spawn((self) => {
      self.monitor(pid);
      return { receive: resolve };
    });
  });
  system.exit(pid, "shutdown");
  expect(await down).toMatchObject({ reason: "shutdown" });
  expect(ended).toEqual(["c", "a"]);
});
