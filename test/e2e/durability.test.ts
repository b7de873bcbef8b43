import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EventEntry } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halonctl,
  kill,
  root,
  service,
  startNode,
  temporaryDirectory,
  waitForState,
} from "./cluster.ts";

afterEach(cleanUp);

test("what was acknowledged is there after kill -9, at the same place", async () => {
  const directory = temporaryDirectory();
  const node = await startNode(directory, ["--name", "node-1"]);
  await ctl(node.endpoint, "apply", "-f", join(root, "examples/hello/cluster.ts"));
  const restarted = JSON.parse(
    await ctl(node.endpoint, "service", "restart", "web", "-o", "json"),
  ) as { operation: string }[];
  const ids = Array.from({ length: 200 }, (_, at) => `event-${at}`);
  const acknowledged = await Promise.all(ids.map((id) => post(node.endpoint, id)));
  kill(node.pid, "SIGKILL");
  await node.ended;

  const again = await startNode(directory, ["--name", "node-1"]);
  const told = await events(again.endpoint, "GreetingChanged");
  const places = new Map(told.map(({ id, index }) => [id, index]));
  expect(acknowledged.map(({ id }) => ({ id, index: places.get(id) }))).toEqual(acknowledged);
  expect(told).toHaveLength(200);
  // The same id gives the same answer, and is not taken twice.
  expect(await post(again.endpoint, "event-7")).toEqual(acknowledged[7]);

  const operations = await (await fetch(`${again.endpoint}/v1/operations`)).json();
  const ended = { operation: restarted[0]?.operation, action: "restart", state: "done" };
  expect(operations).toContainEqual(expect.objectContaining(ended));

  const history = await fetch(`${again.endpoint}/v1/events?after=0&limit=1000`);
  const entries = EventEntry.array().parse(await history.json());
  const order = entries.map(({ index, position }) => index * 1_000_000 + position);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(new Set(order).size).toBe(order.length);
});

test("code that the disk has changed is not run, and comes back with an apply", async () => {
  const directory = temporaryDirectory();
  const file = join(root, "examples/hello/cluster.ts");
  const start = () => startNode(directory, ["--name", "node-1"]);
  const node = await start();
  await ctl(node.endpoint, "apply", "-f", file);
  node.signal("SIGTERM");
  await node.ended;
  const blobs = join(directory, "blobs");
  for (const name of readdirSync(blobs)) appendFileSync(join(blobs, name), "\nthrow 'damaged';\n");
  const { endpoint } = await start();
  const broken = await waitForState(endpoint, "ping", "broken");
  expect(broken.reason).toContain("apply the cluster file again, then start the service");
  expect((await halonctl(endpoint, "apply", "-f", file)).stderr).toContain("ping@node-1 is broken");
  await ctl(endpoint, "service", "start", "ping");
  expect(await service(endpoint, "ping")).toMatchObject({ state: "running" });
});

async function post(endpoint: string, id: string): Promise<{ id: string; index: number }> {
  const response = await fetch(`${endpoint}/v1/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, type: "GreetingChanged", data: { greeting: "hi" } }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as { id: string; index: number };
}
