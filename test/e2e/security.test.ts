import { statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halond,
  type Node,
  root,
  startNode,
  temporaryDirectory,
} from "./cluster.ts";

afterEach(cleanUp);

const mutations = [
  ...["start", "stop", "restart", "check", "status"].map((action) => [
    "POST",
    `/v1/services/ping/${action}`,
  ]),
  ["PUT", "/v1/services/ping/config"],
  ["POST", "/v1/events"],
  ["POST", "/v1/apply"],
  ["POST", "/v1/plan"],
  ["PUT", `/v1/blobs/${"0".repeat(64)}`],
  ["POST", "/v1/blobs/missing"],
  ["POST", "/shutdown"],
] as const;

async function startHello(): Promise<Node> {
  const node = await startNode(temporaryDirectory(), ["--name", "node-1"]);
  await ctl(node.endpoint, "apply", "-f", join(root, "examples/hello/cluster.ts"));
  return node;
}

/** By hand: `fetch` does not let a program choose Host and Origin. */
function send(
  node: Node,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${node.endpoint}${path}`, { method, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    outgoing.on("error", reject);
    outgoing.end(method === "GET" ? undefined : "type=GreetingChanged");
  });
}

test("a form of another site, or under another name, changes nothing", async () => {
  const node = await startHello();
  const before = await events(node.endpoint);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const { host } = new URL(node.endpoint);
  for (const [method = "", path = ""] of mutations) {
    for (const headers of [
      { ...form, origin: "https://evil.example" },
      { ...form, origin: "null" },
      { ...form, origin: `http://${host}.evil.example` },
      { ...form, origin: "http://127.0.0.1:1" },
      { ...form, host: "evil.example" },
      { ...form, host: "evil.example", origin: "http://evil.example" },
    ]) {
      const told = { method, path, headers };
      expect({ ...told, status: await send(node, method, path, headers) }).toEqual({
        ...told,
        status: 403,
      });
    }
    // Without an Origin, as an old browser may send it: the type of the body gives it away.
    expect(await send(node, method, path, form)).toBeGreaterThanOrEqual(400);
  }
  expect(await send(node, "GET", "/v1/status", { host: "evil.example" })).toBe(403);
  expect(await send(node, "GET", "/v1/status", {})).toBe(200);
  expect(await events(node.endpoint)).toHaveLength(before.length);
});

test("a listener that others can reach needs --insecure", async () => {
  const directory = temporaryDirectory();
  const { code, stderr } = await halond(
    ...["start", "--data-dir", directory, "--listen", "0.0.0.0:0"],
  );
  expect(stderr).toContain("--insecure");
  expect(code).toBe(2);
});

test("the data directory is its owner's alone", async () => {
  const { dataDir } = await startHello();
  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
  expect(modeOf(dataDir)).toBe("700");
  expect(modeOf(join(dataDir, "setup.json"))).toBe("600");
});
