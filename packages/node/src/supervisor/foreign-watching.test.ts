import { createGraph } from "@halon/graph";
import { type GraphUpdate, HalonError, instanceId, slotId } from "@halon/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ForeignWatching } from "./foreign-watching.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const web = instanceId(slotId("web", "b"), 1);
const at = { node: "b", service: "web", instance: web };

/** Nodes a and b, whose supervisors watch what runs on their own node; a is set over web of b too. */
function setUp() {
  const graph = createGraph();
  const change = (write: (update: GraphUpdate) => void) => graph.transact(write);
  const put = (update: GraphUpdate, service: string, node: string): void => {
    const slot = slotId(service, node);
    const own = { service, node, incarnation: 1, slot, type: service, version: "1.0.0", since: 0 };
    const state = { state: "running", health: "ok" } as const;
    update.put("ServiceInstance", instanceId(slot, 1), { ...own, ...state });
    update.relate(`Supervisor/${node}`, "monitors", `ServiceInstance/${instanceId(slot, 1)}`);
  };
  change((update) => {
    for (const node of ["a", "b"]) {
      const times = { incarnation: 1, since: 0, labels: {}, version: "0.1.0" };
      const where = { address: `${node}:1`, role: "satellite", state: "up" } as const;
      update.put("Node", node, { ...where, ...times });
      update.put("Supervisor", node, { node });
      put(update, "own", node);
    }
    put(update, "web", "b");
    update.relate("Supervisor/a", "monitors", `ServiceInstance/${web}`);
  });
  const asked: string[] = [];
  const told: unknown[] = [];
  let isWell = false;
  const begin = () =>
    new ForeignWatching({
      node: "a",
      view: () => graph,
      emit: (type, data) => told.push([type, data]),
      async check({ instance }) {
        asked.push(instance);
        if (!isWell) throw new HalonError("HAL_UNREACHABLE", "nobody is there");
        return { health: "ok" };
      },
    });
  const recover = () => {
    isWell = true;
  };
  return { change, asked, told, begin, recover };
}

test("what the graph sets it over on other nodes is asked for, and told of by the node's name", async () => {
  const { asked, told, begin } = setUp();
  const watching = begin();
  await vi.advanceTimersByTimeAsync(3_000);
  expect([new Set(asked), watching.size]).toEqual([new Set([web]), 1]);
  const reason = "nobody is there (3 times)";
  expect(told).toEqual([["InstanceDoubted", { ...at, by: "a", reason }]]);
  watching.close();
});

test("one that begins anew goes on with what the graph says, and trusts by the first answer", async () => {
  const { change, told, begin, recover } = setUp();
  begin().close();
  change((update) => {
    const doubts = [{ by: "a", since: 0, reason: "nobody is there (3 times)" }];
    update.patch("ServiceInstance", web, { doubts });
  });
  recover();
  const watching = begin();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([["InstanceTrusted", { ...at, by: "a" }]]);
  watching.close();
});

test("nothing is asked of a node that is not up, or of what does not run", async () => {
  const { change, asked, begin } = setUp();
  change((update) => update.patch("Node", "b", { state: "suspect" }));
  const watching = begin();
  await vi.advanceTimersByTimeAsync(2_000);
  change((update) => {
    update.patch("Node", "b", { state: "up" });
    update.patch("ServiceInstance", web, { state: "starting" });
  });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual([]);
  change((update) => update.patch("ServiceInstance", web, { state: "degraded" }));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toContain(web);
  watching.close();
});
