import { createSystem } from "@halon/actor";
import { createGraph } from "@halon/graph";
import { afterEach, expect, test, vi } from "vitest";
import { Supervision, supervisorName } from "./supervision.ts";

const system = createSystem({ node: "node-1", incarnation: 3 });
const open = [system];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

test("it watches what the graph says, begins again with that when it ends, and answers who asked for it", async () => {
  const view = createGraph();
  const told: {
    type: string;
    data: { monitors: number; incarnation: number; command?: string };
  }[] = [];
  let looks = 0;
  let turns = 0;
  let began = 0;
  const watches: string[] = [];
  const running = ["web@node-1#1", "db@node-1#4"];
  const supervision = new Supervision({
    node: "node-1",
    incarnation: 3,
    system,
    view: () => view,
    runtime: {
      supervise: (isMonitored) => running.filter(isMonitored).length,
      looks: () => looks,
    },
    emit: (type, data) => told.push({ type, data: data as never }),
    turned: () => {
      turns += 1;
    },
    began: () => {
      began += 1;
    },
    watchOthers: () => {
      watches.push("open");
      const at = watches.length - 1;
      return { size: 2, close: () => void watches.splice(at, 1, "closed") };
    },
  });
  expect(told).toMatchObject([
    { type: "SupervisorStarted", data: { monitors: 2, incarnation: 3001 } },
  ]);

  looks += 1;
  await vi.waitFor(() => expect(turns).toBe(1));

  const pid = system.whereis(supervisorName);
  supervision.restart("4.1");
  await vi.waitFor(() => expect(told).toHaveLength(2));
  expect(told[1]?.data).toMatchObject({ incarnation: 3002, command: "4.1" });
  expect(system.whereis(supervisorName)).not.toBe(pid);
  expect([supervision.starts, began]).toEqual([2, 2]);

  // It ends by itself: nobody asked, so no command is answered.
  const again = system.whereis(supervisorName);
  if (again !== null) system.exit(again, "killed");
  await vi.waitFor(() => expect(told).toHaveLength(3));
  expect(told[2]?.data.command).toBeUndefined();

  // What it watched on other nodes has ended with it, and begun again.
  await vi.waitFor(() => expect(watches).toEqual(["closed", "closed", "open"]));
  expect(supervision.others).toBe(2);
});
