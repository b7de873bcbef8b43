import { HalonError } from "@halon/protocol";
import { describe, expect, test, vi } from "vitest";
import { type Behaviour, type ExitReason, failure, later, type Self } from "./core/behaviour.ts";
import type { Pid } from "./core/pid.ts";
import { createSystem } from "./system.ts";

const within = { timeoutMs: 1_000 };
const echo: Behaviour = () => ({ receive: (message) => message });

function newSystem() {
  return createSystem({ node: "node-1", incarnation: 1 });
}

/** Runs `act` inside a process and gives the first signal that it gets. */
function firstSignal(
  system: ReturnType<typeof newSystem>,
  act: (self: Self) => void,
): Promise<unknown> {
  return new Promise((resolve) => {
    system.spawn((self) => {
      self.trapExits(true);
      act(self);
      return {
        receive: (message, meta) => {
          if (meta.type === "signal") resolve(message);
        },
      };
    });
  });
}

describe("mailbox", () => {
  test("a full mailbox refuses the sender, and counts it", () => {
    const system = newSystem();
    const pid = system.spawn(echo, { mailboxMax: 2 });
    system.send(pid, 1);
    system.send(pid, 2);
    expect(() => system.send(pid, 3)).toThrow(
      expect.objectContaining({ code: "HAL_MAILBOX_FULL" }),
    );
    expect(system.stats().mailboxFull).toBe(1);
  });

  test("one message at a time: the next waits for the promise of this one", async () => {
    const system = newSystem();
    const seen: string[] = [];
    const pid = system.spawn(() => ({
      async receive(message) {
        seen.push(`begin ${message}`);
        await new Promise(setImmediate);
        seen.push(`end ${message}`);
      },
    }));
    system.send(pid, 1);
    await system.call(pid, 2, within);
    expect(seen).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
  });

  test("a process that sends itself messages for ever does not hold up timers", async () => {
    const system = newSystem();
    const pid = system.spawn((self) => ({ receive: () => void self.send(self.pid, "again") }));
    system.send(pid, "go");
    await new Promise((resolve) => setTimeout(resolve, 0));
    system.exit(pid, "killed");
    expect(system.isAlive(pid)).toBe(false);
  });

  test("send says when there is nobody", () => {
    const system = newSystem();
    expect(system.send({ name: "nobody" }, 1)).toBe(false);
    expect(system.send({ name: "x", node: "node-9" }, 1)).toBe(false);
    expect(system.stats().undelivered).toBe(2);
  });
});

describe("call", () => {
  test.each([
    { name: "no process", to: { name: "nobody" }, code: "HAL_NO_PROCESS" },
    { name: "no connection", to: { name: "x", node: "node-9" }, code: "HAL_UNREACHABLE" },
  ])("rejects when there is $name", async ({ to, code }) => {
    await expect(newSystem().call(to, 1, within)).rejects.toMatchObject({ code });
  });

  test("rejects at its deadline, and a late answer changes nothing", async () => {
    const system = newSystem();
    const pid = system.spawn(() => ({ receive: () => new Promise(() => undefined) }));
    await expect(system.call(pid, 1, { timeoutMs: 10 })).rejects.toMatchObject({
      code: "HAL_TIMEOUT",
    });
    expect(system.stats().pendingCalls).toBe(0);
  });

  test("carries the error of a callee that throws, which ends", async () => {
    const system = newSystem();
    const pid = system.spawn(() => ({
      receive() {
        throw new HalonError("HAL_CONFLICT", "busy", { details: { by: 7 } });
      },
    }));
    await expect(system.call(pid, 1, within)).rejects.toMatchObject({
      code: "HAL_CONFLICT",
      details: { by: 7 },
    });
    expect(system.isAlive(pid)).toBe(false);
  });

  test("a failure rejects the caller and leaves the callee running", async () => {
    const system = newSystem();
    const pid = system.spawn(() => ({
      receive: () => failure({ code: "HAL_CONFLICT", message: "busy" }),
    }));
    await expect(system.call(pid, 1, within)).rejects.toMatchObject({ code: "HAL_CONFLICT" });
    expect(system.isAlive(pid)).toBe(true);
  });

  test("who answers later takes other messages meanwhile, and answers each call with its own", async () => {
    const system = newSystem();
    const waiting = new Map<unknown, (answer: string) => void>();
    const pid = system.spawn(() => ({
      receive: (message) => later(new Promise((resolve) => void waiting.set(message, resolve))),
    }));
    const first = system.call(pid, "first", within);
    const second = system.call(pid, "second", within);
    await vi.waitFor(() => expect([...waiting.keys()]).toEqual(["first", "second"]));
    waiting.get("second")?.("two");
    waiting.get("first")?.("one");
    expect(await Promise.all([first, second])).toEqual(["one", "two"]);
  });

  test("who ends before it has answered later is said to have ended", async () => {
    const system = newSystem();
    const pid = system.spawn(() => ({
      receive: (message) => {
        if (message === "end") throw new RangeError("over");
        return later(new Promise(() => undefined));
      },
    }));
    const asked = system.call(pid, "ask", within);
    system.send(pid, "end");
    await expect(asked).rejects.toThrow("over");
  });

  test("what waits in the mailbox of a process that ends is rejected", async () => {
    const system = newSystem();
    const pid = system.spawn((self) => ({ receive: () => self.stop() }));
    const first = system.call(pid, 1, within);
    const second = system.call(pid, 2, within);
    await first;
    await expect(second).rejects.toMatchObject({ code: "HAL_NO_PROCESS" });
  });
});

describe("names", () => {
  test("a name has one holder, and is free after its end", () => {
    const system = newSystem();
    const pid = system.spawn(echo, { name: "a" });
    expect(system.whereis("a")).toBe(pid);
    expect(() => system.spawn(echo, { name: "a" })).toThrow(
      expect.objectContaining({ code: "HAL_NAME_TAKEN" }),
    );
    system.exit(pid, "killed");
    expect(system.whereis("a")).toBe(null);
  });
});

describe("monitors and links", () => {
  const ends: { name: string; end: (self: Self) => void; reason: ExitReason }[] = [
    { name: "normal", end: (self) => self.stop(), reason: "normal" },
    { name: "shutdown", end: (self) => self.exit(self.pid, "shutdown"), reason: "shutdown" },
    { name: "killed", end: (self) => self.exit(self.pid, "killed"), reason: "killed" },
    {
      name: "error",
      end: () => {
        throw new Error("x");
      },
      reason: { error: { code: "HAL_INTERNAL", message: "x" } },
    },
  ];
  test.each(ends)("a monitor gets the reason: $name", async ({ end, reason }) => {
    const system = newSystem();
    const pid = system.spawn((self) => ({ receive: () => end(self) }));
    const down = firstSignal(system, (self) => self.monitor(pid));
    system.send(pid, "end");
    expect(await down).toMatchObject({ type: "down", pid, reason });
  });

  test.each([
    { address: "node-1/1/999" as Pid, reason: "noproc" },
    { address: "node-1/0/1" as Pid, reason: "noproc" },
    { address: "node-9/1/1" as Pid, reason: "noconnection" },
  ])("a monitor of $address says $reason", async ({ address, reason }) => {
    const system = newSystem();
    expect(await firstSignal(system, (self) => self.monitor(address))).toMatchObject({ reason });
  });

  test("a link takes the linked along, except after normal", async () => {
    const system = newSystem();
    const spared = system.spawn(echo);
    const taken = system.spawn(echo);
    const quiet = system.spawn((self) => ({ receive: () => self.stop() }), { link: spared });
    const loud = system.spawn((self) => ({ receive: () => self.stop("shutdown") }), {
      link: taken,
    });
    await system.call(quiet, 1, within);
    await system.call(loud, 1, within);
    await new Promise(setImmediate);
    expect([spared, taken].map((pid) => system.isAlive(pid))).toEqual([true, false]);
  });

  test("a process that traps exits gets them as messages, but not a kill", async () => {
    const system = newSystem();
    const seen = firstSignal(system, (self) => {
      self.spawn(
        () => {
          throw new Error("at start");
        },
        { link: self.pid },
      );
    });
    expect(await seen).toMatchObject({ type: "exit", reason: { error: { message: "at start" } } });
    const trapping = system.spawn((self) => {
      self.trapExits(true);
      return { receive: () => undefined };
    });
    system.exit(trapping, "killed");
    expect(system.isAlive(trapping)).toBe(false);
  });

  test("watchers are told after terminate is done; a kill does not wait for it", async () => {
    const system = newSystem();
    const slow: Behaviour = () => ({
      receive: () => undefined,
      terminate: () => new Promise(() => undefined),
    });
    const pid = system.spawn(slow);
    system.exit(pid, "shutdown");
    expect(system.isAlive(pid)).toBe(true);
    system.exit(pid, "killed");
    expect(system.isAlive(pid)).toBe(false);
  });
});
