import { listen } from "@halon/api";
import { memoryPorts } from "@halon/api/testing";
import type { AlertEntry, ClusterStatus } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { runHalonctl } from "./main.ts";

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Row = ClusterStatus["services"][number];

const row = (service: string, given: Partial<Row> = {}): Row => ({
  service,
  type: service,
  version: "1.0.0",
  node: "node-1",
  instance: `${service}@node-1#1`,
  incarnation: 1,
  state: "running",
  health: "ok",
  restarts: 0,
  since: "2026-01-01T00:00:00.000Z",
  ...given,
});

/** The incarnation of a node in ms, and the third start of the part there. */
const part = (service: string, given: Partial<Row> = {}) =>
  row(service, { incarnation: 1_795_334_607_787_003, reason: "follower", ...given });

type Node = ClusterStatus["nodes"][number];

async function run(
  command: readonly string[],
  services: readonly Row[],
  {
    reasons = [],
    node = {},
    alerts = [],
  }: {
    readonly reasons?: string[];
    readonly node?: Partial<Node>;
    readonly alerts?: readonly AlertEntry[];
  } = {},
) {
  const { ports } = memoryPorts();
  const { cluster, nodes: known } = ports.status();
  const nodes = known.map((each) => ({ ...each, ...node }));
  const lists = { nodes, services: [...services], alerts: [...alerts] };
  const status = () => ({ cluster: { ...cluster, reasons }, ...lists });
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    ports: { ...ports, status },
    allowedHosts: [],
  });
  ends.push(() => listener.close(0));
  const { io, written } = memoryIo({ HALON_ENDPOINT: `127.0.0.1:${listener.port}` });
  await runHalonctl(command, io);
  return written.out;
}

const widthOf = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

test("status shows the services, and of the parts of Halon how many are well", async () => {
  const out = await run(["status"], [row("web"), part("halon-agency"), part("halon-recovery")]);
  expect(out).toMatch(/\nweb +node-1 +running/);
  expect(out).not.toMatch(/^halon-/m);
  expect(out).toContain("\nParts of Halon: 2 of 2 are well, see `halonctl service list`.\n");
});

test("a part that does not run, or is not well, stands among the services", async () => {
  const parts = [
    part("halon-agency"),
    part("halon-recovery", { health: "warn" }),
    part("halon-supervisor", { state: "failed" }),
  ];
  const out = await run(["status"], parts);
  expect(out).toContain("No services. Apply a cluster file.\n");
  expect(out.match(/^halon-\S+/gm)).toEqual(["halon-recovery", "halon-supervisor"]);
  expect(out).toContain("1 of 3 are well");
});

test("parts of a node that is down are counted and not shown: the node is", async () => {
  const lost = part("halon-agency", { state: "unknown", health: "unknown" });
  const out = await run(["status"], [row("web"), lost], { node: { state: "down" } });
  expect(out).not.toMatch(/^halon-/m);
  expect(out).toContain("0 of 1 are well");
});

test("service list has the parts, with their start within that of their node, in 80 columns", async () => {
  const services = [
    row("a-service-with-a-long-name", { reason: "it failed ".repeat(20), osPid: 4_194_304 }),
    part("halon-coordinator"),
  ];
  const out = await run(["service", "list"], services);
  expect(out).toMatch(/^halon-coordinator +node-1 +running +ok +3 +follower$/m);
  expect(widthOf(out)).toBeLessThanOrEqual(80);
  const data = await run(["service", "list", "-o", "json"], services);
  expect(JSON.parse(data)[1]).toMatchObject({ incarnation: 1_795_334_607_787_003 });
});

test("whatever is wrong, status has 80 columns and says all of it", async () => {
  const reason = `web on node-1: ${"the secret cannot be read ".repeat(12)}end`;
  const out = await run(["status"], [row("web", { incarnation: 1e15 })], {
    reasons: [reason],
  });
  expect(widthOf(out)).toBeLessThanOrEqual(80);
  expect(out.replace(/\s+/g, " ")).toContain(reason);
});

test.each([[[]], [["service"]], [["node"]], [["service", "config", "set"]], [["agency"]]])(
  "help of %j has 80 columns",
  async (command) => {
    expect(widthOf(await run([...command, "--help"], []))).toBeLessThanOrEqual(80);
  },
);

const alert = (number: number, given: Partial<AlertEntry> = {}): AlertEntry => ({
  alert: `disks/node-${number}/sda`,
  key: `node-${number}/sda`,
  rule: "disks/replaceSoon",
  severity: "warning",
  text: `the disk has had 3 read errors within 10 minutes, the last in sector ${number}00000`,
  since: "2026-01-01T00:00:00.000Z",
  count: 1,
  ...given,
});

test("status shows the alerts that stand, ten of them, within the terminal", async () => {
  const alerts = Array.from({ length: 13 }, (_, number) => alert(number));
  const out = await run(["status"], [row("web")], { alerts });
  expect(out).toContain("SEVERITY  ALERT");
  expect(out).toContain("warning   disks/node-9/sda");
  expect(out).not.toContain("disks/node-10/sda");
  expect(out).toContain("and 3 more, see `halonctl alert list`");
  expect(widthOf(out)).toBeLessThanOrEqual(80);
});

test("status says nothing of alerts when none stands", async () => {
  expect(await run(["status"], [row("web")])).not.toMatch(/alert/i);
});

test("alert list shows all alerts within the terminal", async () => {
  const key = "a-key-that-is-much-longer-than-a-column-should-be/".repeat(3);
  const alerts = [alert(1), ...Array.from({ length: 13 }, () => alert(2, { alert: key }))];
  const out = await run(["alert", "list"], [], { alerts });
  expect(out.split("\n")).toHaveLength(16);
  expect(widthOf(out)).toBeLessThanOrEqual(80);
});

test("alert list and status have all that is known of an alert as JSON", async () => {
  const alerts = [alert(1, { severity: "critical" })];
  expect(JSON.parse(await run(["alert", "list", "-o", "json"], [], { alerts }))).toEqual(alerts);
  const status = JSON.parse(await run(["status", "-o", "json"], [], { alerts })) as ClusterStatus;
  expect(status.alerts).toEqual(alerts);
});
