import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halonctl,
  halond,
  host,
  ownServices,
  project,
  root,
  startNode,
  status,
  temporaryDirectory,
} from "./cluster.ts";
import { clusterOf, workerService } from "./services.ts";

afterEach(cleanUp);

const helloFile = join(root, "examples/hello/cluster.ts");

test.each([
  { args: ["--colour"], says: "--colour" },
  { args: ["--local", "0"], says: "1 to 64" },
  { args: ["--local", "3", "--name", "web"], says: "--name" },
  { args: ["--listen", "127.0.0.1:99999"], says: "0 to 65535" },
  { args: ["--name", "A B"], says: "a-z" },
  { args: ["--label", "zone"], says: "zone=a" },
  { args: ["--agency-size", "2"], says: "1, 3, 5 or 7" },
  { args: ["--log.level", "loud"], says: "debug" },
  { args: ["--data-dir"], says: "--data-dir" },
])("halond start $args is refused with what is expected", async ({ args, says }) => {
  const { code, stdout, stderr } = await halond("start", ...args);
  expect(stderr).toMatch(/^halond: HAL_USAGE: /);
  expect(stderr).toContain(says);
  expect(stdout).toBe("");
  expect(code).toBe(2);
});

test("a port that is taken ends the start, and names the port", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const listen = ["--listen", `127.0.0.1:${port}`];
  const { code, stderr } = await halond("start", "--data-dir", temporaryDirectory(), ...listen);
  server.close();
  expect(stderr).toContain("HAL_PORT_IN_USE");
  expect(stderr).toContain(String(port));
  expect(code).toBe(1);
});

test("a data directory that a live node uses is refused, and that node goes on", async () => {
  const directory = temporaryDirectory();
  const node = await startNode(directory, ["--name", "node-1"]);
  const listen = ["--listen", `${host}:0`];
  const { code, stderr } = await halond("start", "--data-dir", directory, ...listen);
  expect(stderr).toContain("HAL_DATA_DIR_LOCKED");
  expect(stderr).toContain(directory);
  expect(code).toBe(4);
  expect((await status(node.endpoint)).cluster.state).toBe("healthy");
  // What the refusal says to do.
  expect(stderr).toContain(`halond stop --data-dir ${directory}`);
  expect(await halond("stop", "--data-dir", directory)).toMatchObject({ code: 0 });
  expect((await node.ended).code).toBe(0);
  expect(await halond("stop", "--data-dir", directory)).toMatchObject({ code: 5 });
});

function segmentOf(dataDir: string): string {
  const names = readdirSync(join(dataDir, "agency")).map((name) => join(dataDir, "agency", name));
  const [largest] = names.sort((a, b) => statSync(b).size - statSync(a).size);
  return largest ?? "";
}

const damages = [
  {
    what: "setup.json of another format version",
    file: (dataDir: string) => join(dataDir, "setup.json"),
    damage: (bytes: Buffer) => bytes.toString().replace('"format": 2', '"format": 3'),
    says: ["HAL_DATA_DIR_VERSION", "format 3"],
  },
  {
    what: "setup.json that was edited",
    file: (dataDir: string) => join(dataDir, "setup.json"),
    damage: (bytes: Buffer) => bytes.toString().replace("node-1", "node-7"),
    says: ["HAL_DATA_DIR_INVALID", "checksum"],
  },
  {
    what: "half a setup.json",
    file: (dataDir: string) => join(dataDir, "setup.json"),
    damage: (bytes: Buffer) => bytes.subarray(0, bytes.length / 2),
    says: ["HAL_DATA_DIR_INVALID", "setup.json"],
  },
  {
    what: "a log with a flipped bit in its middle",
    file: segmentOf,
    damage: (bytes: Buffer) => {
      // Behind the entries there are zeros, for those to come.
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      const at = Math.floor(end / 2);
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from([(bytes[at] ?? 0) ^ 1]),
        bytes.subarray(at + 1),
      ]);
    },
    says: ["HAL_STORE_DAMAGED", "agency"],
  },
];

test("damage to what a node keeps stops its start; once it is repaired, all that was acknowledged is there", async () => {
  const directory = temporaryDirectory();
  const node = await startNode(directory, ["--name", "node-1"]);
  await ctl(node.endpoint, "apply", "-f", helloFile);
  for (const id of ["one", "two"]) {
    await ctl(node.endpoint, "event", "emit", "GreetingChanged", '{"greeting":"hi"}', "--id", id);
  }
  node.signal("SIGTERM");
  expect((await node.ended).code).toBe(0);
  for (const { what, file, damage, says } of damages) {
    const path = file(directory);
    const whole = readFileSync(path);
    writeFileSync(path, damage(whole));
    const listen = ["--listen", `${host}:0`, "--name", "node-1"];
    const { code, stdout, stderr } = await halond("start", "--data-dir", directory, ...listen);
    for (const part of says) expect(stderr, what).toContain(part);
    expect({ what, code, stdout }).toEqual({ what, code: 1, stdout: "" });
    writeFileSync(path, whole);
  }
  const { endpoint } = await startNode(directory, ["--name", "node-1"]);
  const told = await events(endpoint, "GreetingChanged");
  expect(told.map(({ id }) => id)).toEqual(["one", "two"]);
});

const badFiles = [
  {
    what: "a field of the wrong type",
    text: 'export default defineCluster({ services: [{ type: "./good.service.ts", replicas: "two" }] });',
    says: ["HAL_CONFIG_INVALID", "replicas"],
    exit: 2,
  },
  {
    what: "a syntax error",
    text: "export default defineCluster({ services: [ );",
    says: ["HAL_COMPILE_FAILED", "cluster.ts:2"],
    exit: 1,
  },
  {
    what: "a configuration that the schema refuses",
    text: 'export default defineCluster({ services: [{ type: "./good.service.ts", config: { size: 0 } }] });',
    says: ["HAL_SCHEMA_VIOLATION", "size"],
    exit: 2,
  },
  {
    what: "an unknown field",
    text: 'export default defineCluster({ services: [{ type: "./good.service.ts", replica: 2 }] });',
    says: ["HAL_CONFIG_INVALID", "replica"],
    exit: 2,
  },
  {
    what: "a module that throws",
    text: 'throw new Error("no good at all");\nexport default defineCluster({});',
    says: ["HAL_COMPILE_FAILED", "cluster.ts:2", "no good at all"],
    exit: 1,
  },
  {
    what: "a service file that throws while it is read",
    text: 'export default defineCluster({ services: [{ type: "./throwing.service.ts" }] });',
    says: ["HAL_COMPILE_FAILED", "throwing.service.ts:2", "no service"],
    exit: 1,
  },
  {
    what: "a service file that is not there",
    text: 'export default defineCluster({ services: [{ type: "./missing.service.ts" }] });',
    says: ["HAL_COMPILE_FAILED", "missing.service.ts"],
    exit: 1,
  },
  {
    what: "an unknown type by name",
    text: 'export default defineCluster({ services: [{ type: "missing" }] });',
    says: ["HAL_FAILED", "missing"],
    exit: 1,
  },
];

test("a cluster file that is not right is refused with the place and the reason, and changes nothing", async () => {
  const directory = temporaryDirectory();
  const good = project(join(directory, "project"), {
    "good.ts": clusterOf("good"),
    "good.service.ts": workerService("good"),
    "throwing.service.ts": workerService("bad", { top: 'throw new Error("no service");' }),
  });
  const { endpoint } = await startNode(join(directory, "data"));
  await ctl(endpoint, "apply", "-f", good);
  const before = await status(endpoint);
  const bad = join(directory, "project/cluster.ts");
  for (const { what, text, says, exit } of badFiles) {
    writeFileSync(bad, `import { defineCluster } from "@halon/service";\n${text}\n`);
    const { code, stdout, stderr } = await halonctl(endpoint, "apply", "-f", bad);
    for (const part of says) expect(stderr, what).toContain(part);
    expect({ what, code }).toEqual({ what, code: exit });
    if (exit === 2) expect(stdout, what).toBe("");
  }
  expect(ownServices(await status(endpoint))).toEqual(ownServices(before));
});

test("a broken cluster file of --apply ends the start before anything runs", async () => {
  const directory = temporaryDirectory();
  const file = project(join(directory, "project"), { "cluster.ts": "export default 1;" });
  const dataDir = ["--data-dir", join(directory, "data")];
  const { code, stdout, stderr } = await halond(
    "start",
    "--local",
    "3",
    ...dataDir,
    "--apply",
    file,
  );
  expect(stderr).toContain("HAL_CONFIG_INVALID");
  expect(stdout).toBe("");
  expect(code).toBe(2);
});
