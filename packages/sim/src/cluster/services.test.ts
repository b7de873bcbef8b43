import type { InstanceEvent, Spawn } from "@halon/service/core";
import { describe, expect, test } from "vitest";
import { EventQueue } from "../event-queue.ts";
import type { ProcessAnswer, ServiceTurn } from "./processes.ts";
import type { SimService } from "./scripts.ts";
import { ServiceTable } from "./services.ts";
import { manifestOf } from "./specs.ts";

const slot = 0;
const script = { readyUs: 10_000, stopUs: 5_000, answerUs: 1_000, memoryMb: 20 };

function service(more: Partial<SimService>): SimService {
  return {
    name: "web",
    kind: "process",
    placement: { type: "every" },
    exclusive: false,
    apart: [],
    after: [],
    prefer: [],
    onNodeLoss: "move",
    restart: {
      resetAfterMs: 1_000,
      backoffMs: 100,
      backoffMaxMs: 1_000,
      maxFailures: 5,
      windowMs: 60_000,
      configTries: 3,
    },
    startTimeoutMs: 1_000,
    stopTimeoutMs: 1_000,
    checkEveryMs: 1_000,
    livenessFailures: 3,
    script,
    ...more,
  };
}

/** A machine with a table, whose time goes on as asked. */
function machine(more: Partial<SimService> = {}) {
  const queue = new EventQueue<ServiceTurn>();
  const told: string[] = [];
  let now = 0;
  const one = service(more);
  const table = new ServiceTable(
    {
      now: () => now,
      schedule: (at, _slot, turn) => queue.push(at, 0, 0, 0, turn),
      machineMs: () => now / 1000,
      clockRate: () => 1000,
      hear: (_slot, instance, event: InstanceEvent) => void told.push(`${instance} ${event.type}`),
      answer: (_slot, ref, answer: ProcessAnswer) => void told.push(`${ref} ${answerText(answer)}`),
      launched: ({ instance }) => void told.push(`launched ${instance}`),
      ended: ({ instance }, end) => void told.push(`ended ${instance} ${end}`),
    },
    [one],
    1,
  );
  table.adopt(slot, 1);
  const goOn = (forUs: number): readonly string[] => {
    const end = now + forUs;
    while (queue.size > 0 && queue.pop()) {
      if (queue.time > end) {
        queue.push(queue.time, 0, 0, 0, queue.payload);
        break;
      }
      now = queue.time;
      if (queue.payload !== null) table.turn(queue.payload);
    }
    now = end;
    return told.splice(0);
  };
  const spawn = (instance: string, lease?: Spawn["lease"]): Spawn => ({
    service: "web",
    instance,
    manifest: manifestOf(one, { codeVersion: 1, configVersion: 1, isConfigBad: false }),
    configHash: "0",
    config: { version: 1, bad: false },
    ...(lease === undefined ? {} : { lease }),
  });
  return {
    table,
    goOn,
    launch: (id: string, lease?: Spawn["lease"]) => table.launch(slot, 1, spawn(id, lease)),
  };
}

function answerText(answer: ProcessAnswer): string {
  const { answer: what } = answer;
  return "type" in what ? `${answer.type} ${what.type}` : `${answer.type} ${what.ok}`;
}

const id = "web@node-1#1";

describe("a scripted service", () => {
  test("becomes ready, stops when it is asked to, and tells of its end last", () => {
    const { table, goOn, launch } = machine();
    launch(id);
    expect(goOn(20_000)).toEqual([`launched ${id}`, `${id} loaded`, `${id} ready`]);
    table.requestStop(slot, id);
    expect(goOn(20_000)).toEqual([`ended ${id} asked`, `${id} exited`]);
  });

  test("that ignores the request to stop ends when it is killed", () => {
    const { table, goOn, launch } = machine();
    table.arm("web", "ignoreStop", 1);
    launch(id);
    goOn(20_000);
    table.requestStop(slot, id);
    expect(goOn(1_000_000)).toEqual([]);
    table.kill(slot, id);
    expect(goOn(20_000)).toEqual([`ended ${id} killed`, `${id} exited`]);
  });

  test("that hangs answers no check in time, and a worker shows no progress", () => {
    const { table, goOn, launch } = machine({ kind: "worker" });
    const process = launch(id);
    goOn(20_000);
    process.plight.hangsSinceUs = 20_000;
    table.ask(slot, id, "health", { ref: 7, timeoutMs: 100 });
    expect(goOn(100_000)).toEqual(["7 health timedOut"]);
    expect(table.silentMs(slot, id)).toBe(100);
  });

  test("whose start is to fail ends with a problem, and the next one starts", () => {
    const { table, goOn, launch } = machine();
    table.arm("web", "failStart", 1);
    launch(id);
    expect(goOn(20_000)).toContain(`${id} problem`);
    launch("web@node-1#2");
    expect(goOn(20_000)).toContain("web@node-1#2 ready");
  });

  test("that leaves a group behind has ended only when the group has", () => {
    const { table, goOn, launch } = machine();
    table.arm("web", "fork", 1);
    const process = launch(id);
    goOn(20_000);
    table.crash(process, 1);
    expect(goOn(1_000)).toEqual([]);
    expect(goOn(50_000)).toEqual([`ended ${id} crashed`, `${id} exited`]);
  });
});

describe("when halond dies", () => {
  test("workers die with it, and nobody hears of it", () => {
    const { table, goOn, launch } = machine({ kind: "worker" });
    launch(id);
    goOn(20_000);
    table.hostEnded(slot);
    expect(goOn(20_000)).toEqual([`ended ${id} host`]);
  });

  test("OS processes go on and are told of again by the next one", () => {
    const { table, goOn, launch } = machine();
    launch(id);
    goOn(20_000);
    table.hostEnded(slot);
    expect(goOn(20_000)).toEqual([]);
    expect(table.adopt(slot, 2).map(({ instance }) => instance)).toEqual([id]);
    expect(goOn(20_000)).toEqual([`${id} loaded`, `${id} ready`]);
  });

  test("a group without its main process is ended by the next one", () => {
    const { table, goOn, launch } = machine();
    table.arm("web", "fork", 1);
    const process = launch(id);
    goOn(20_000);
    table.hostEnded(slot);
    table.crash(process, 1);
    expect(goOn(1_000_000)).toEqual([]);
    expect(table.adopt(slot, 2)).toEqual([]);
    expect(goOn(0)).toEqual([`ended ${id} stray`]);
  });
});

describe("a kept service", () => {
  const lease = { token: 1, leaseMs: 2_000, untilMs: 2_000 };

  test("ends with its lease, whether halond lives or not", () => {
    const { table, goOn, launch } = machine();
    launch(id, lease);
    goOn(20_000);
    table.renew(slot, id, 3_000);
    expect(goOn(2_500_000)).toEqual([]);
    table.hostEnded(slot);
    expect(goOn(1_000_000)).toEqual([`ended ${id} lease`]);
  });

  test("ends first of all when its machine goes on after its lease", () => {
    const { table, goOn, launch } = machine();
    const process = launch(id, lease);
    goOn(20_000);
    process.untilMs = 10;
    table.resumed(slot);
    expect(goOn(0)).toEqual([`ended ${id} lease`, `${id} exited`]);
  });
});
